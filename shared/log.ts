import { pino } from 'pino';
import { masked } from './masking.ts';

export type Log = pino.Logger;

/** JSON lines on stdout. What may hold a secret is cut out by path, and what looks like one wherever it stands, whoever logs it. */
export function createLog(service: string, level: string): Log {
  return pino({
    level,
    hooks: { streamWrite: masked },
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        'env',
        '*.env',
        'stdin',
        '*.stdin',
        'secret',
        '*.secret',
        'password',
        '*.password',
        'authorization',
        '*.authorization',
        'apiKey',
        '*.apiKey',
      ],
      censor: '***',
    },
  });
}
