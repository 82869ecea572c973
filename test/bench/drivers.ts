import { z } from 'zod';
import type { Lab } from '../support/lab.ts';
import { startRunlet } from '../support/runlet.ts';

/** What starts the programs: the value of RUNLET_DRIVER. */
export type Driver = string;

const answer = z.object({
  data: z.array(
    z.object({
      // A worker that has only one does not say which.
      drivers: z
        .array(z.object({ name: z.string(), unavailable: z.string().nullable() }))
        .default([{ name: 'engine', unavailable: null }]),
    }),
  ),
});

/** Those that a worker on this machine offers; of them the wanted ones, in that order. @param wanted none: all */
export async function offeredDrivers(
  { lab, say }: { lab: Lab; say: (line: string) => void },
  wanted: string[],
): Promise<Driver[]> {
  const runlet = await startRunlet(lab);
  const response = await runlet.call('GET', '/v1/workers').finally(() => runlet.stop());
  const [worker] = answer.parse(await response.json()).data;
  const all = worker?.drivers ?? [];
  const whyNot = (name: string): string | undefined => {
    const found = all.find((driver) => driver.name === name);
    if (found === undefined) return `this worker knows ${all.map((one) => one.name).join(', ')}`;
    return found.unavailable ?? undefined;
  };
  const usable = (wanted.length > 0 ? wanted : all.map(({ name }) => name)).filter((name) => {
    const why = whyNot(name);
    if (why !== undefined) say(`without the driver ${name}: ${why}`);
    return why === undefined;
  });
  if (usable.length === 0) throw new Error('no driver to measure: name one with --drivers, or none for all');
  return usable;
}
