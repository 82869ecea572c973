import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { begin, canRun, type Init, places, sh, startInit, uid, wellEnded } from './support.ts';

const none = '0000000000000000';

describe.skipIf(!canRun).each(places)(
  'an init, $place, that is root, with a user for its programs,',
  ({ beside }) => {
    let init: Init;
    beforeAll(async () => {
      init = await startInit({ root: true, beside });
      const data = Buffer.from('content');
      await init.session.prepare(init.workdir, [{ path: 'deep/file', data, mode: 0o600 }]);
    });
    afterAll(() => init.stop());

    test('starts them as that user, without a capability and in no other group', async () => {
      const { end, text } = await sh(init.session, 'grep -E "^(Uid|Gid|Groups|Cap)" /proc/self/status');
      expect(end).toMatchObject(wellEnded);
      const ids = [uid, uid, uid, uid].join('\t');
      const sets = ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}:\t${none}`);
      expect(
        text
          .trim()
          .split('\n')
          .map((line) => line.trim()),
      ).toEqual([`Uid:\t${ids}`, `Gid:\t${ids}`, `Groups:\t${uid}`, ...sets]);
    });

    test('is that user for files, and for the streams and the terminal that they open again', async () => {
      const script =
        'stat -c "%u:%g" deep deep/file; cat deep/file; echo >> deep/file; echo again > /dev/stdout';
      expect((await sh(init.session, script)).text).toBe(`${uid}:${uid}\n${uid}:${uid}\ncontentagain\n`);
      const onTerminal = await sh(init.session, 'stat -c %u "$(tty)"; echo again > /dev/tty', {
        tty: { cols: 80, rows: 24 },
      });
      expect(onTerminal.text).toBe(`${uid}\r\nagain\r\n`);
      // A folder that is closed to it is closed, though init is root.
      await sh(init.session, 'mkdir closed && echo x > closed/x && chmod 000 closed');
      const { files } = await init.session.list(100);
      expect(files.map(({ path }) => path)).toEqual(['deep/file']);
    });

    test('is out of their reach while they run, and ends them all the same', async () => {
      const running = begin(init.session, ['sh', '-c', '(setsid sleep 600 &); echo here; sleep 600']);
      await running.says('here');
      const status = readFileSync(`/proc/${init.pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\t0\t0\t0\t0$/m);
      running.signal(10);
      expect((await running.result).end).toMatchObject({ cause: 'exited', signal: 10 });
      expect(init.processes()).toEqual([]);
      const refused = await sh(
        init.session,
        'kill -0 $INIT; kill -CHLD $INIT; cat /proc/$INIT/maps; exit 4',
        {
          env: { PATH: '/usr/bin:/bin', INIT: String(init.innerPid) },
        },
      );
      expect(refused.end).toMatchObject({ exitCode: 4 });
      expect(refused.stderr.toString().match(/not permitted|denied/g)).toHaveLength(3);
      const late = begin(init.session, ['sh', '-c', '(setsid sleep 600 &); sleep 600'], { wallMs: 200 });
      expect((await late.result).end).toMatchObject({ cause: 'wall', signal: 9 });
      expect(init.processes()).toEqual([]);
    });
  },
);
