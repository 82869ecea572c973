import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import type { Runlet } from '../support/runlet.ts';
import { webSocket } from '../support/web-socket.ts';

const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/**
 * What is true for every run, with any isolation.
 *
 * @param sizes of the input and the output, since gVisor is slower
 */
export function holdsForRuns(
  isolation: 'container' | 'gvisor',
  runlet: () => Runlet,
  sizes: { input: number; output: number },
): void {
  const run = (request: Record<string, unknown>) => runlet().run({ isolation, ...request });
  const sh = (script: string, more: Record<string, unknown> = {}) =>
    run({ image: 'busybox', command: ['sh', '-c', script], ...more });

  describe(`with isolation "${isolation}"`, () => {
    test('stdin, files and artifacts pass bit for bit', async () => {
      const [input, file] = [randomBytes(sizes.input), randomBytes(sizes.input)];
      const ended = await sh(
        'sha256sum; sha256sum < deep/er/in.bin; stat -c "%a %U" deep/er/in.bin run.sh; ./run.sh; mkdir -p out/a; ' +
          `head -c ${sizes.output} /dev/urandom > out/a/big; chmod 400 out/a/big; sha256sum < out/a/big; ` +
          ': > out/empty; ln -s /etc/passwd out/link; echo again > /dev/stderr',
        {
          workdir: '/work',
          stdin: input.toString('base64'),
          stdinEncoding: 'base64',
          files: [
            { path: 'deep/er/in.bin', content: file.toString('base64'), encoding: 'base64', mode: '0400' },
            { path: 'run.sh', content: '#!/bin/sh\necho "I am $0"\n', mode: '0755' },
          ],
          artifacts: ['out/**'],
        },
      );
      expect(ended.status, ended.stderr).toBe('succeeded');
      const lines = ended.stdout.trim().split('\n');
      expect(lines.slice(0, 5)).toEqual([
        `${sha256(input)}  -`,
        `${sha256(file)}  -`,
        '400 runlet',
        '755 runlet',
        'I am ./run.sh',
      ]);
      expect(ended.stderr).toBe('again\n');
      expect(ended.artifacts.map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual([
        ['out/a/big', sizes.output],
        ['out/empty', 0],
      ]);
      const artifact = (path: string) => runlet().call('GET', `/v1/runs/${ended.id}/artifacts/${path}`);
      const big = Buffer.from(await (await artifact('out/a/big')).arrayBuffer());
      expect([big.length, `${sha256(big)}  -`]).toEqual([sizes.output, lines[5]]);
      expect(ended.artifacts[0]?.sha256).toBe(sha256(big));
      expect((await artifact('out/link')).status).toBe(404);
    });

    test('output, exit code, signal and usage are told apart', async () => {
      expect(await sh('echo out; echo err >&2; exit 3')).toMatchObject({
        status: 'failed',
        exitCode: 3,
        signal: null,
        stdout: 'out\n',
        stderr: 'err\n',
      });
      expect(await sh('kill -SEGV $$')).toMatchObject({ status: 'failed', exitCode: 139, signal: 'SIGSEGV' });
      const busy = await sh('i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done');
      expect(busy.status).toBe('succeeded');
      expect(busy.usage.cpuMs).toBeGreaterThan(0);
      expect(busy.usage.maxMemoryBytes).toBeGreaterThan(0);
    });

    test('what a step leaves behind dies with it, and what it wrote stays', async () => {
      const daemon = '(setsid sh -c "while :; do sleep 1; echo ghost >> /tmp/ghost; done" &) ; sleep 0.2';
      const script =
        `touch /tmp/$0; if [ $0 = first ]; then ${daemon}; ps -o user,comm; ` +
        'else sleep 2; ps -o comm; cat /tmp/ghost; fi; ls /tmp; echo ok';
      const ended = await run({
        image: 'busybox',
        command: ['sh', '-c', script],
        inputs: [{ args: ['first'] }, { args: ['second'] }],
      });
      expect(ended.status, ended.stderr).toBe('succeeded');
      expect(ended.steps[0]?.stdout).toMatch(/runlet\s+sleep/);
      const seen = ['COMMAND', 'init', 'sh', 'ps', 'first', 'second', 'ok', ''];
      expect(ended.steps[1]?.stdout.split('\n')).toEqual(seen);
    });

    test('a limit on CPU time counts all processes, and is not the wall clock', async () => {
      const spin = 'while :; do :; done';
      const ended = await sh(`(${spin}) & (${spin}) & wait`, {
        limits: { cpuTimeMs: 500, timeoutMs: 60_000, cpus: 2 },
      });
      expect(ended).toMatchObject({
        status: 'timed_out',
        steps: [{ limit: 'cpu' }],
        error: { code: 'cpu_limit', detail: expect.stringContaining('limits.cpuTimeMs (500 ms') },
      });
      expect(ended.usage.cpuMs).toBeGreaterThanOrEqual(400);
      expect(ended.timings.runMs).toBeLessThan(isolation === 'gvisor' ? 60_000 : 20_000);
      expect(await sh('sleep 1', { limits: { cpuTimeMs: 500 } })).toMatchObject({ status: 'succeeded' });
    });

    test('forged frames, a killed pid 1 and closed descriptors change nothing but the program’s own output', async () => {
      const forged = Buffer.concat([
        Buffer.from([0x78, 37, 0, 0, 0]),
        Buffer.alloc(37),
        Buffer.from([0x6f, 2, 0, 0, 0, 0x68, 0x69]),
      ]);
      // In a container the init has the program's user: the kernel accepts a signal to it, but the signal does nothing. In gVisor the init
      // is root, and every program can read its environment (PATH, HOSTNAME and HOME, as the engine sets them).
      const inGvisor = isolation === 'gvisor';
      const told = inGvisor ? '&& echo sent' : '';
      const environment = inGvisor ? '' : 'cat /proc/1/environ; ';
      const ended = await sh(
        'cat forged; cat forged >&2; for fd in 0 1 2; do cat forged > /proc/1/fd/$fd && echo reached; head -c 1 /proc/1/fd/$fd && echo reached; done; ' +
          `for signal in 9 15 17 19 1; do kill -$signal 1 ${told}; done; kill -9 -1; ` +
          `cat /proc/1/mem && echo reached; echo 0 > /proc/1/oom_score_adj; ${environment}exec 0<&- 2>&-; echo end; exit 7`,
        {
          workdir: '/work',
          files: [{ path: 'forged', content: forged.toString('base64'), encoding: 'base64' }],
        },
      );
      expect(ended).toMatchObject({ status: 'failed', exitCode: 7, outputEncoding: 'utf8', error: null });
      expect(ended.stdout).toBe(`${forged.toString()}end\n`);
    });

    test('an interactive run reads what attached clients send, on a terminal', async () => {
      const created = (await (
        await runlet().call('POST', '/v1/runs', {
          image: 'busybox',
          isolation,
          interactive: true,
          tty: true,
          command: ['sh', '-c', 'stty size; read line; echo "read $line"; stty size; exit 5'],
        })
      ).json()) as Run;
      const socket = webSocket(runlet(), `/v1/runs/${created.id}/attach`);
      let seen = '';
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as { type: string; data?: string };
        if (message.type === 'stdout') seen += message.data;
        if (!seen.includes('24 80') || seen.includes('(sent)')) return;
        seen += '(sent)';
        socket.send(JSON.stringify({ type: 'resize', cols: 100, rows: 30 }));
        socket.send(JSON.stringify({ type: 'stdin', data: 'hello\n' }));
      });
      const ended = await runlet().ended(created.id);
      socket.close();
      expect(ended).toMatchObject({ status: 'failed', exitCode: 5 });
      expect(ended.stdout.replaceAll('\r', '')).toContain('read hello\n30 100\n');
    });
  });
}
