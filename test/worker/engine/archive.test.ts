import { expect, it } from 'vitest';
import { type ArchiveEntry, entriesAt } from '../../../services/worker/sandbox/image/image-archive.ts';
import { bench } from './support.ts';

const { engine, spec } = bench();

it('reads what lies in an image, from a container that never runs, and never what a tmpfs would cover it with', async () => {
  const plain = await spec({ command: ['true'] });
  const [tmp] = plain.tmpfs;
  if (tmp === undefined) throw new Error('no tmpfs');
  const id = await engine.containers.create({ ...plain, tmpfs: [{ ...tmp, path: '/etc' }] });
  try {
    const at = async (path: string) => {
      const found: Pick<ArchiveEntry, 'root' | 'path' | 'type'>[] = [];
      for await (const { root, path: below, type } of entriesAt(
        (one) => engine.containers.readArchive(id, one),
        path,
      ))
        found.push({ root, path: below, type });
      return found;
    };
    const etc = await at('/etc');
    expect(etc[0]).toEqual({ root: '/etc', path: '', type: 'directory' });
    expect(etc).toContainEqual({ root: '/etc', path: 'passwd', type: 'file' });
    // Of busybox's applets each is a link to it.
    expect(await at('/bin/sh')).toEqual([{ root: '/bin/busybox', path: '', type: 'file' }]);
    for (const nowhere of ['/none', '/none/below', '/etc/passwd/below', `/${'x'.repeat(300)}`])
      expect([nowhere, await at(nowhere)]).toEqual([nowhere, []]);
    for await (const entry of entriesAt((one) => engine.containers.readArchive(id, one), '/etc/passwd'))
      expect(Buffer.concat(await Array.fromAsync(entry.body)).toString()).toMatch(/^root:x:0:0:/);
    // One that is not read to its end does not hold the container.
    for await (const _ of entriesAt((one) => engine.containers.readArchive(id, one), '/bin')) break;
  } finally {
    await engine.containers.remove(id);
  }
  await expect(engine.containers.readArchive(id, '/etc')).rejects.toMatchObject({ code: 'container_lost' });
});
