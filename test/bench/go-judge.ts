import { z } from 'zod';
import { ask } from './http-json.ts';
import type { Program, Server } from './servers.ts';

/** It knows no languages: these are programs of its own machine, as its mounts show them. The code lies in the work folder. */
const commands: Record<Program['language'], [program: string, file: string]> = {
  bash: ['/bin/bash', 'main.sh'],
  python: ['/usr/bin/python3', 'main.py'],
};

const second = 1_000_000_000;
/** Those that a run of ours has by default. go-judge bounds only what it is told to. */
const limits = {
  cpuLimit: 10 * second,
  clockLimit: 10 * second,
  memoryLimit: 256 * 1024 * 1024,
  procLimit: 64,
};
const outputMax = 1024 * 1024;

const version = z.object({ buildVersion: z.string() });
const results = z.tuple([
  z.object({
    status: z.string(),
    error: z.string().optional(),
    files: z.record(z.string(), z.string()).optional(),
  }),
]);

const asking = {
  as: 'go-judge',
  hint: '--go-judge is the address of its REST API, by default http://127.0.0.1:5050, without -auth-token',
};

/** go-judge (github.com/criyle/go-judge), by its REST API. */
export async function connectGoJudge(base: string): Promise<Server> {
  await ask(`${base}/version`, { kind: version, ...asking });
  const url = `${base}/run`;
  return {
    url: base,
    has: (language) => language in commands,
    async execute({ language, code, prints }) {
      const [program, file] = commands[language];
      const cmd = {
        args: [program, file],
        env: ['PATH=/usr/local/bin:/usr/bin:/bin'],
        files: [{ content: '' }, { name: 'stdout', max: outputMax }, { name: 'stderr', max: outputMax }],
        ...limits,
        copyIn: { [file]: { content: code } },
        copyOut: ['stdout', 'stderr'],
      };
      const [{ status, error, files }] = await ask(url, { kind: results, body: { cmd: [cmd] }, ...asking });
      // It answers 200 to a program that failed or could not be started, too.
      if (status !== 'Accepted')
        throw new Error(
          `${url}: ${status} ${error ?? files?.stderr ?? ''}: go-judge must see ${program}, and be allowed to limit`,
        );
      if (files?.stdout !== prints) throw new Error(`${url}: printed ${JSON.stringify(files?.stdout)}`);
    },
  };
}
