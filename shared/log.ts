import { pino } from 'pino';
import { stdoutLines } from './log-lines.ts';
import { masked } from './masking.ts';

export type Log = pino.Logger;

/**
 * JSON lines on stdout. Fields that may hold a secret are removed by their path. Text that looks like a secret is masked
 * everywhere.
 */
export function createLog(service: string, level: string): Log {
  const options: pino.LoggerOptions = {
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
  };
  return pino(options, stdoutLines());
}
