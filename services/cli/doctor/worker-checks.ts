import type { Worker } from '../../../shared/contracts/worker.ts';
import { formatAge, formatBytes } from '../output/format.ts';
import { type Component, type Finding, findingsFor } from './advisories.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';
import { checkDrivers } from './driver-checks.ts';
import { checkHost } from './host-checks.ts';

const lowDiskBytes = 2 * 1024 ** 3;
const lowDiskShare = 0.1;

export function checkWorkers(workers: readonly Worker[], now: number): Check[] {
  if (workers.length === 0)
    return [
      failed('workers', 'There is no worker', 'Start one against the same Redis (npm start starts one).'),
    ];
  return workers.flatMap((worker) => {
    const name = `worker ${worker.name}`;
    return [
      checkEngine(name, worker, now),
      ...checkDrivers(`${name}: drivers`, worker),
      checkDisk(`${name}: disk`, worker.disk),
      ...checkDiskLimits(`${name}: disk limits`, worker),
      ...checkComponent(`${name}: engine version`, worker),
      ...checkRunc(`${name}: runc version`, worker),
      checkRunUser(`${name}: users of runs`, worker),
      ...checkHost(name, worker),
    ];
  });
}

function checkEngine(name: string, { status, engine, lastSeenAt, id }: Worker, now: number): Check {
  const seen = `seen ${formatAge(lastSeenAt, now)} ago`;
  switch (status) {
    case 'ready':
      return ok(
        name,
        `ready, ${engine.name} ${engine.version} on ${engine.os}/${engine.architecture}, ${seen}`,
      );
    case 'draining':
      return warning(
        name,
        `draining: it takes no new runs, ${seen}`,
        `Start it again if ${id} is to take runs.`,
      );
    case 'engine_unavailable':
      return failed(
        name,
        `its engine (${engine.name} ${engine.version}) does not answer, ${seen}`,
        'On that machine: is Docker running (systemctl status docker), is DOCKER_HOST right, may the worker use its socket?',
      );
    default:
      return warning(
        name,
        `in state "${status satisfies never}"`,
        'Update this CLI to the server’s version.',
      );
  }
}

/** An older worker does not report this. It has one user for all sandboxes. */
function checkRunUser(
  name: string,
  { runUser, engine }: { runUser?: Worker['runUser']; engine: Worker['engine'] },
): Check {
  // Seen on Linux 6.18 in a user namespace: descriptors in flight, pipes and locked memory are counted for each user.
  // Everything else is charged to the creator of the namespace as well.
  if (runUser === null && engine.userNamespace)
    return warning(
      name,
      'each sandbox has a user of its own, but the kernel charges much to the owner of its user namespace as well, and one run can take it from all: inotify, pending signals, timers, message queues',
      'Have an engine that is neither rootless nor started with userns-remap, or isolation "gvisor".',
    );
  if (runUser === null) return ok(name, 'each sandbox has a user of its own');
  const who = runUser === undefined ? 'one user' : `the user ${runUser}`;
  return warning(
    name,
    `all runs have ${who} and share what the kernel counts by user, which one of them can take from all: inotify, descriptors in flight, pending signals, timers, pipe pages, message queues, locked memory`,
    runUser === undefined
      ? 'Update the worker.'
      : 'Unset RUNLET_RUN_USER: then each sandbox has a user of its own.',
  );
}

function checkDisk(name: string, disk: Worker['disk']): Check {
  if (disk === null) return skipped(name, 'The worker does not know (a remote engine)');
  const share = disk.totalBytes > 0 ? disk.freeBytes / disk.totalBytes : 0;
  const detail = `${formatBytes(disk.freeBytes)} of ${formatBytes(disk.totalBytes)} free (${Math.floor(share * 100)} %)`;
  if (disk.freeBytes >= lowDiskBytes && share >= lowDiskShare) return ok(name, detail);
  const remedy =
    'Remove images that are no longer used (runlet images, runlet rmi), or make the disk larger.';
  return warning(name, detail, remedy);
}

const quotaRemedy =
  'with Docker’s data-root on XFS that is mounted with pquota, and its storage driver overlay2, a write past a limit fails instead';

/** An older worker does not report this. */
function checkDiskLimits(
  name: string,
  { disksSeen, diskQuotas = { roots: false, volumes: false } }: Worker,
): Check[] {
  if (disksSeen === undefined) return [];
  const { roots, volumes } = diskQuotas;
  const held = [...(roots ? ['roots'] : []), ...(volumes ? ['named volumes'] : [])].join(' and ');
  const quotas = held === '' ? '' : `project quotas for ${held}; `;
  if (disksSeen) {
    const watched =
      roots && volumes
        ? 'what these leave out is watched'
        : `a watch for ${held === '' ? 'all' : 'the rest'}`;
    const remedy = roots ? '' : `: it ends what wrote too much (${quotaRemedy})`;
    return [ok(name, `${quotas}${watched}, deleted files and volumes included${remedy}`)];
  }
  return [
    warning(
      name,
      `${quotas}its engine alone tells what containers write${held === '' ? '' : ' elsewhere'}: deleted files that are still open, and volumes, count for nothing`,
      'Run a worker as root on the engine’s own machine; or set RUNLET_ALLOW_WRITABLE=false, and give services to nobody whom you do not trust.',
    ),
  ];
}

/** The advisories for Docker Engine do not apply to other engines with the same API, such as Podman. */
function checkComponent(name: string, { engine }: Worker): Check[] {
  if (engine.version === '') return [];
  if (!/docker|moby/i.test(engine.name))
    return [skipped(name, `${engine.name} ${engine.version}: no advisories are kept for it`)];
  return report(name, 'docker', 'Docker Engine', engine.version);
}

function checkRunc(name: string, { engine }: Worker): Check[] {
  return engine.runcVersion === null ? [] : report(name, 'runc', 'runc', engine.runcVersion);
}

function report(name: string, component: Component, label: string, version: string): Check[] {
  const findings = findingsFor(component, version);
  if (findings === undefined) return [skipped(name, `${label} "${version}" cannot be read as a version`)];
  if (findings.length === 0) return [ok(name, `${label} ${version}, no known vulnerability`)];
  const advised = `${label} ${version}`;
  return findings.map((finding) => ({ ...toCheck(name, advised, finding), advised }));
}

function toCheck(name: string, version: string, { advisory, packaged }: Finding): Check {
  const detail = `${version}: ${advisory.ids.join(', ')}. ${advisory.effect}`;
  // A distribution adds fixes to the old version that it ships. Only the distribution's own tracker knows which.
  if (packaged)
    return warning(
      name,
      detail,
      `The fix may be backported: check with your distribution. Else: ${advisory.remedy}`,
    );
  return advisory.reachable ? failed(name, detail, advisory.remedy) : warning(name, detail, advisory.remedy);
}
