import { z } from 'zod';
import { ask } from './http-json.ts';
import type { Server } from './servers.ts';

const as = 'Piston’s API v2';
const runtimes = z.array(z.object({ language: z.string(), aliases: z.array(z.string()) }));
const execution = z.object({ run: z.object({ stdout: z.string() }) });

/** A Piston-compatible server, by its API v2. */
export async function connectPiston(base: string): Promise<Server> {
  const found = await ask(`${base}/api/v2/runtimes`, { kind: runtimes, as });
  const offered = new Set(found.flatMap(({ language, aliases }) => [language, ...aliases]));
  const url = `${base}/api/v2/execute`;
  return {
    url: base,
    has: (language) => offered.has(language),
    async execute({ language, code, prints }) {
      const body = { language, version: '*', files: [{ content: code }] };
      const { run } = await ask(url, { kind: execution, as, body });
      // It answers 200 to a program that failed, too.
      if (run.stdout !== prints) throw new Error(`${url}: printed ${JSON.stringify(run.stdout)}`);
    },
  };
}
