import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { docker } from './docker.ts';

/** A sandbox as somebody sees it who looks at the machine: a container of the Engine's, or a record of the driver `oci`. */
export type FoundSandbox = {
  driver: 'engine' | 'oci';
  /** A container's id, or the sandbox's name. */
  id: string;
  /** With the run that has it. */
  name: string;
  /** The image's id. */
  image: string;
  run: string | undefined;
  warm: string | undefined;
  worker: string;
  instance: string;
  /** The number of its user. */
  user: number;
};

const records = '/run/runlet/owners';
const pids = '/sys/fs/cgroup/pids/runlet';
const unified = '/sys/fs/cgroup/runlet';

/** All of this machine's, of every Runlet; those that were made last come first. */
export async function sandboxesOn(dockerHost: string): Promise<FoundSandbox[]> {
  const [containers, direct] = await Promise.all([onEngine(dockerHost), recorded()]);
  return [...containers, ...direct];
}

async function onEngine(dockerHost: string): Promise<FoundSandbox[]> {
  const names = ['run', 'warm', 'worker', 'instance', 'user'].map(
    (name) => `{{.Label "dev.runlet.${name}"}}`,
  );
  const format = ['{{.ID}}', '{{.Names}}', '{{.Image}}', ...names].join('|');
  const text = await docker(
    dockerHost,
    ...['ps', '-a', '--no-trunc', '--filter', 'label=dev.runlet.instance', '--format', format],
  );
  return text.split('\n').flatMap((line): FoundSandbox[] => {
    const [id = '', name = '', image = '', run, warm, worker = '', instance = '', user] = line.split('|');
    if (!run && !warm) return [];
    return [
      {
        driver: 'engine',
        id,
        name,
        image,
        run: run || undefined,
        warm: warm || undefined,
        worker,
        instance,
        user: Number(user),
      },
    ];
  });
}

async function recorded(): Promise<FoundSandbox[]> {
  const files = await readdir(records).catch(() => []);
  // Their ids begin with the time.
  const found = await Promise.all(files.sort().reverse().map(readRecord));
  return found.flat();
}

async function readRecord(file: string): Promise<FoundSandbox[]> {
  const content = await readFile(join(records, file), 'utf8').catch(() => '{}');
  let record: {
    owner?: { owner: { run?: string; warm?: string; worker: string; instance: string } };
    shownAs?: string;
    image?: string;
    user?: number;
  } = {};
  try {
    record = JSON.parse(content);
  } catch {
    // It is just being written.
  }
  if (record.owner === undefined) return [];
  const { run, warm, worker, instance } = record.owner.owner;
  const id = file.slice(0, -'.json'.length);
  return [
    {
      driver: 'oci',
      id,
      name: record.shownAs ?? id,
      image: record.image ?? '',
      run,
      warm,
      worker,
      instance,
      user: record.user ?? 0,
    },
  ];
}

/** The sandboxes that were made ahead, also those that a run has by now; of one worker, or of one image. */
export async function warmSandboxes(
  dockerHost: string,
  of: { worker?: string | undefined; image?: string },
): Promise<FoundSandbox[]> {
  const image =
    of.image &&
    (await docker(dockerHost, 'image', 'inspect', '--format', '{{.Id}}', of.image).catch(() => ''));
  return (await sandboxesOn(dockerHost)).filter(
    (one) =>
      one.warm !== undefined &&
      (of.worker === undefined || one.worker === of.worker) &&
      (image === undefined || one.image === image),
  );
}

/** The command lines of what runs in it. */
export async function processesIn(dockerHost: string, one: FoundSandbox): Promise<string[]> {
  const found = await Promise.all(
    (await pidsIn(dockerHost, one)).map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return found.map((line) => line.replace(/\0$/, '').replaceAll('\0', ' '));
}

/** `uid:gid` of each process in it. */
export async function usersIn(dockerHost: string, one: FoundSandbox): Promise<string[]> {
  const found = await Promise.all(
    (await pidsIn(dockerHost, one)).map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')),
  );
  const of = (status: string, name: string) => new RegExp(`^${name}:\\t(\\d+)`, 'm').exec(status)?.[1];
  return found.filter((status) => status !== '').map((status) => `${of(status, 'Uid')}:${of(status, 'Gid')}`);
}

async function pidsIn(dockerHost: string, { driver, id }: FoundSandbox): Promise<number[]> {
  if (driver === 'oci') return pidsInCgroup(id);
  const text = await docker(dockerHost, 'top', id, '-eo', 'pid').catch(() => '');
  return text.split('\n').slice(1).map(Number);
}

async function pidsInCgroup(name: string): Promise<number[]> {
  for (const parent of [pids, unified]) {
    const list = await readFile(join(parent, name, 'cgroup.procs'), 'utf8').catch(() => undefined);
    if (list !== undefined) return list.split('\n').filter(Boolean).map(Number);
  }
  return [];
}

/** Ends it as somebody does who has the right to: with all that runs in it. Resolves when that is gone. */
export async function endSandbox(dockerHost: string, one: FoundSandbox): Promise<void> {
  if (one.driver === 'engine') return void (await docker(dockerHost, 'rm', '-f', one.id));
  for (;;) {
    const left = await pidsIn(dockerHost, one);
    if (left.length === 0) return;
    for (const pid of left)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    await sleep(20);
  }
}

/** Names of the sandboxes of these runs. */
export async function sandboxesOf(dockerHost: string, runIds: string[]): Promise<string[]> {
  const all = await sandboxesOn(dockerHost);
  return all.map(({ name }) => name).filter((name) => runIds.some((id) => name.includes(id)));
}

/** Resolves when nothing is left of these runs. The test's own time limit ends the wait. */
export async function gone(dockerHost: string, runIds: string[]): Promise<void> {
  while ((await sandboxesOf(dockerHost, runIds)).length > 0) {
    // Each look starts a client. More looks would take CPU time from the work that we wait for.
    await sleep(200);
  }
}
