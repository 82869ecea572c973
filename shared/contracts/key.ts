import { z } from 'zod';

export const keyRoles = ['admin', 'member'] as const;
export type KeyRole = (typeof keyRoles)[number];

/**
 * Visible characters and spaces. Not allowed: control characters, characters that change the direction of text in a terminal,
 * and invisible characters.
 */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,128}$/u;

const name = z
  .string()
  .refine((text) => printable.test(text), 'must be 1 to 128 printable characters')
  .refine((text) => text.trim() === text, 'must not begin or end with a space')
  .meta({ minLength: 1, maxLength: 128, description: 'What it is for. Not unique.', examples: ['ci'] });

export const newKey = z
  .strictObject({
    name,
    role: z.enum(keyRoles).default('member').meta({
      description:
        '`admin` may everything; `member` everything but keys, registries, workers, and taking images away.',
    }),
    expiresAt: z.iso
      .datetime({
        offset: true,
        error: 'must be a time with its zone (RFC 3339), as in 2027-01-31T12:00:00Z',
      })
      .refine((text) => Date.parse(text) > Date.now(), 'must be in the future')
      .nullable()
      .default(null)
      .meta({
        description: 'From then on it is refused. Null: never.',
        examples: ['2027-01-31T12:00:00Z'],
      }),
  })
  .meta({ id: 'NewKey' });

export const apiKey = z
  .object({
    id: z.string().meta({ examples: ['key_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b'] }),
    name: z.string(),
    role: z.enum(keyRoles),
    createdAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().nullable().meta({ description: 'To the minute. Null: not yet.' }),
    expiresAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Key' });

export const keyWithSecret = apiKey
  .extend({
    key: z.string().meta({ description: 'The key itself. Shown this once.', examples: ['rlk_…'] }),
  })
  .meta({ id: 'KeyWithSecret' });

export type NewKey = z.output<typeof newKey>;
export type ApiKey = z.infer<typeof apiKey>;
