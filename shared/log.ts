import { pino } from 'pino';

export type Log = pino.Logger;

/** JSON lines on stdout. What may hold a secret is cut out by path, whoever logs it. */
export function createLog(service: string, level: string): Log {
  return pino({
    level,
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
