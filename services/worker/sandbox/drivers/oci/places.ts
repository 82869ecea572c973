import { join } from 'node:path';

export type Places = ReturnType<typeof placesIn>;

/**
 * Where this driver keeps what. All but the disk is gone with a restart of the machine, if `state` is on a tmpfs as /run mostly is.
 *
 *   owners/NAME.json      whose it is: written before anything else of a sandbox is made, removed after all else
 *   boxes/NAME/           the runtime's bundle, and files that are mounted into the sandbox
 *   runtime/NAME/         the runtime's own state
 *   networks/             whose the network namespaces are (network/own-network-records.ts)
 *   workers/ID/           of one worker: its socket, its launcher's root, the root file systems of images
 *   (disk) workers/ID/    the init, as it is mounted into sandboxes: what lies in /run may not be executed everywhere
 *   (disk) NAME.json and NAME/   the same of what a sandbox writes to disk
 */
export function placesIn(state: string, dataDir: string) {
  const disk = join(dataDir, 'sandboxes');
  const owners = join(state, 'owners');
  const workers = join(state, 'workers');
  return {
    state,
    disk,
    owners,
    networks: join(state, 'networks'),
    workers,
    workersOnDisk: join(disk, 'workers'),
    boxes: join(state, 'boxes'),
    runtime: join(state, 'runtime'),
    worker: (id: string) => {
      const folder = join(workers, id);
      return {
        folder,
        initFolder: join(disk, 'workers', id),
        socket: join(folder, 'stdio.sock'),
        launcherRoot: join(folder, 'root'),
        images: join(folder, 'images'),
      };
    },
    sandbox: (name: string) => {
      const box = join(state, 'boxes', name);
      return {
        ownerFile: join(owners, `${name}.json`),
        box,
        config: join(box, 'config.json'),
        pidFile: join(box, 'pid'),
        complaints: join(box, 'stderr'),
        root: join(box, 'root'),
        file: (file: string) => join(box, `file-${file}`),
        runtimeState: join(state, 'runtime', name),
        onDisk: { ownerFile: join(disk, `${name}.json`), folder: join(disk, name) },
      };
    },
  };
}
