import { openWith } from './open.ts';

export const open = openWith({ runtime: 'runc' });
