import type { Problem } from '../../../../shared/problems.ts';
import type { DriverShape, Isolation, Leftover, SandboxDriver } from '../driver.ts';

export type SandboxDrivers = ReturnType<typeof createDrivers>;

/** The drivers of a worker, the preferred one first. */
export function createDrivers(first: SandboxDriver, ...others: SandboxDriver[]) {
  const all = [first, ...others];
  return {
    /** The first driver that can make a sandbox of this shape, or the last driver's reason why it cannot. */
    choose(shape: DriverShape): SandboxDriver | Problem {
      let refusal = first.refuses(shape);
      if (refusal === null) return first;
      for (const driver of others) {
        const another = driver.refuses(shape);
        if (another === null) return driver;
        refusal = another;
      }
      return refusal;
    },
    all: all as readonly SandboxDriver[],
    isolations: (): Isolation[] => [...new Set(all.flatMap((driver) => driver.isolations()))],
    left: async (instance: string): Promise<Leftover[]> =>
      (await Promise.all(all.map((driver) => driver.left(instance)))).flat(),
    holds: (pin: string): boolean => all.some((driver) => driver.holds(pin)),
    async letGo(image: string): Promise<void> {
      await Promise.all(all.map((driver) => driver.letGo(image)));
    },
    async close(): Promise<void> {
      await Promise.all(all.map((driver) => driver.close()));
    },
  };
}
