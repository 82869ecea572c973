import { randomBytes } from 'node:crypto';

/** 192 bits: nobody guesses one, and its digest needs no salt. */
export const newApiKey = () => `rlk_${randomBytes(24).toString('base64url')}`;
