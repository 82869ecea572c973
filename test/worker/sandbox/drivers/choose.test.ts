import { expect, test } from 'vitest';
import type { Isolation, SandboxDriver } from '../../../../services/worker/sandbox/driver.ts';
import { createDrivers } from '../../../../services/worker/sandbox/drivers/choose.ts';
import { Problem } from '../../../../shared/problems.ts';

/** One that offers these isolations, and no sandbox whose root can be written to unless it says so. */
function offering(name: string, isolations: Isolation[], writable: boolean): SandboxDriver {
  return {
    name,
    pace: { making: 1, removing: 1, idleBytes: 1 },
    isolations: () => isolations,
    refuses: (shape) =>
      isolations.includes(shape.isolation) && (writable || !shape.writable)
        ? null
        : new Problem('isolation_unavailable', `${name} does not make it`),
    make: () => Promise.reject(new Error('not asked for')),
    left: async (instance) => [
      {
        id: name,
        name,
        owner: { of: 'warm', owner: { warm: name, worker: 'w', instance } },
        remove: async () => {},
      },
    ],
    holds: () => false,
    letGo: async () => {},
    close: async () => {},
  };
}

const drivers = createDrivers(
  offering('first', ['container'], false),
  offering('second', ['container', 'gvisor'], true),
);
const shape = { isolation: 'container', network: 'none', writable: false } as const;

test('the first driver that does not refuse makes a sandbox; where all refuse, the last says why', () => {
  expect(drivers.choose(shape)).toMatchObject({ name: 'first' });
  expect(drivers.choose({ ...shape, writable: true })).toMatchObject({ name: 'second' });
  expect(drivers.choose({ ...shape, isolation: 'gvisor' })).toMatchObject({ name: 'second' });
  const one = createDrivers(offering('only', ['container'], false));
  expect(one.choose({ ...shape, isolation: 'gvisor' })).toMatchObject({ message: 'only does not make it' });
});

test('what one of them offers is offered, and what each has left is told', async () => {
  expect(drivers.isolations()).toEqual(['container', 'gvisor']);
  expect((await drivers.left('i')).map(({ id }) => id)).toEqual(['first', 'second']);
});
