import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { unsuited } from '../../../../../services/worker/sandbox/drivers/oci/unsuited.ts';

const dataRoot = mkdtempSync(join(tmpdir(), 'runlet-layers-'));
mkdirSync(join(dataRoot, 'overlay2/l'), { recursive: true });
afterAll(() => rmSync(dataRoot, { recursive: true, force: true }));

const machine = { os: 'linux', storageDriver: 'overlay2', userNamespace: false, confinement: [], dataRoot };
const local = { local: true };

test.runIf(process.getuid?.() === 0)('a root worker beside an engine with overlay2 may have it', () => {
  expect(unsuited({ engine: local, info: machine })).toBeNull();
});

test('an engine elsewhere is fine as it is', () => {
  expect(unsuited({ engine: { local: false }, info: machine })).toEqual({
    unavailable: expect.stringContaining('another machine'),
  });
});

test.runIf(process.getuid?.() === 0).each([
  ['containerd’s image store', { storageDriver: 'overlayfs' }, 'overlayfs', 'containerd-snapshotter'],
  ['users that are remapped', { userNamespace: true }, 'userns-remap', 'neither rootless'],
  ['layers that are not seen', { dataRoot: '/nowhere' }, '/nowhere/overlay2', 'infra/compose/direct.yml'],
])('%s: it says why, and what to do', (_, more, why, remedy) => {
  expect(unsuited({ engine: local, info: { ...machine, ...more } })).toEqual({
    unavailable: expect.stringContaining(why),
    remedy: expect.stringContaining(remedy),
  });
});
