import { ensureTools, installPackages } from '../../parts/apt.ts';
import { run } from '../../parts/run.ts';
import type { Say } from '../../parts/say.ts';
import { findTool } from '../../parts/tools.ts';
import type { Tree } from '../tree.ts';

/** The folders and files that programs expect everywhere, and BusyBox under the name of each of its applets. */
export async function busybox(tree: Tree, say: Say): Promise<void> {
  const program = await staticBusybox(say);
  tree.copy(program, 'bin/busybox');
  const applets = (await run(program, ['--list'])).stdout
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox');
  for (const applet of applets) tree.link(`bin/${applet}`, 'busybox');
  for (const folder of ['dev', 'etc', 'home', 'proc', 'sys', 'usr/sbin', 'var/spool/mail', 'var/www'])
    tree.directory(folder);
  tree.link('usr/bin', '../bin');
  tree.link('sbin', 'bin');
  tree.directory('root', 0o700);
  tree.directory('tmp', 0o1777);
  tree.directory('var/tmp', 0o1777);
  tree.file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n');
  tree.file('etc/group', 'root:x:0:\nnogroup:x:65534:\n');
  tree.file('etc/shadow', 'root:*:::::::\nnobody:*:::::::\n', 0o600);
}

/** Debian also has a dynamically linked busybox with the same name. Only the static one works alone. */
async function staticBusybox(say: Say): Promise<string> {
  const present = findTool('busybox');
  if (present !== undefined && (await isStatic(present))) return present;
  if (present !== undefined) await installPackages(['busybox-static'], say);
  const [installed = 'busybox'] = await ensureTools(
    [{ names: ['busybox'], packages: ['busybox-static'] }],
    say,
  );
  return installed;
}

async function isStatic(program: string): Promise<boolean> {
  const { code, stdout, stderr } = await run('ldd', [program], { allowFailure: true });
  return code !== 0 && /not a dynamic executable|statically/.test(stdout + stderr);
}
