import type { SandboxOwner } from '../../../services/worker/labels.ts';
import { runSeccompProfile } from '../../../services/worker/sandbox/seccomp.ts';
import { sandboxSpecFor } from '../../../services/worker/sandbox/spec.ts';
import { usualUser } from '../../../services/worker/sandbox/users/accounts.ts';
import type { DriverBench } from './driver.suite.ts';

// A process that makes sandboxes until it is killed: `node half-way.ts <opener> <docker host> <owners>`.
const [opener = '', dockerHost = '', owners = '[]'] = process.argv.slice(2);
const { open } = (await import(opener)) as { open(dockerHost: string): Promise<DriverBench> };
const { driver, image } = await open(dockerHost);
const busybox = await image();
const seccompProfile = await runSeccompProfile();
const user = { uid: 1000, gid: 1000 };
const MiB = 1024 * 1024;
const limits = {
  timeoutMs: 1000,
  cpuTimeMs: null,
  memoryBytes: 64 * MiB,
  diskBytes: MiB,
  outputBytes: 1,
  pids: 8,
  cpus: 1,
};
process.stdout.write('begun\n');
for (const owner of JSON.parse(owners) as SandboxOwner[])
  void driver.make(
    sandboxSpecFor(
      { limits, isolation: 'container', network: 'none', writable: false },
      busybox,
      {
        owner: { of: 'run', owner },
        lease: { user, batch: [user], end: (remove) => remove() },
        userName: usualUser,
        files: () => [],
      },
      seccompProfile,
    ),
  );
setInterval(() => {}, 1_000);
