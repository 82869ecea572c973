import { expect, it } from 'vitest';
import { look, run, runScript } from '../../../services/worker/network/command.ts';

it('Commands of one moment have each its own input, output and failure, and one shell', async () => {
  const parent = ['-c', 'echo $PPID'];
  const done = await Promise.allSettled([
    run('cat', [], 'a "quoted" $word\nand `another`'),
    run('sh', ['-c', 'echo some; echo it is wrong >&2; exit 3']),
    run('runlet-no-such-program', []),
    run('printf', ['%s', "it's"]),
    runScript('a script', 'printf %s "$2" | cat; [ "$1" = "x y" ] || exit; exit 4', ['x y', 'two']),
    run('sh', parent),
    run('sh', parent),
  ]);
  const [cat, failed, missing, words, script, one, two] = done.map((each) =>
    each.status === 'fulfilled' ? each.value : (each.reason as Error).message,
  );
  expect(cat).toBe('a "quoted" $word\nand `another`\n');
  expect(failed).toBe('sh failed (3): it is wrong');
  expect(missing).toMatch(/^runlet-no-such-program failed \(127\): .*not found$/);
  expect(words).toBe("it's");
  expect(script).toMatch(/^a script failed \(4\)/);
  expect(one).toMatch(/^\d+\n$/);
  expect(two).toBe(one);
});

it('Who looks at the same at the same moment looks once', async () => {
  const asked = ['-c', 'echo $$'];
  const [one, two, other] = await Promise.all([look('sh', asked), look('sh', asked), run('sh', asked)]);
  expect(two).toBe(one);
  expect(other).not.toBe(one);
  expect(await look('sh', asked)).not.toBe(one);
});

it('Many at a time all get their own answer', async () => {
  const many = await Promise.all(Array.from({ length: 40 }, (_, index) => run('echo', [`${index}`])));
  expect(many).toEqual(Array.from({ length: 40 }, (_, index) => `${index}\n`));
});
