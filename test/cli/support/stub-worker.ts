import { type Worker, worker as workerSchema } from '../../../shared/contracts/worker.ts';

const GiB = 1024 ** 3;
/** A worker with which nothing is wrong. */
export const healthy: Worker = workerSchema.parse({
  id: 'wrk_1',
  name: 'node-a',
  status: 'ready',
  version: '0.1.0',
  engine: {
    id: 'AAAA:BBBB',
    name: 'Docker Engine',
    version: '29.9.0',
    apiVersion: '1.52',
    runcVersion: '1.5.0',
    storageDriver: 'overlay2',
    cgroupVersion: '2',
    os: 'linux',
    architecture: 'amd64',
    kernel: '6.12.0',
    userNamespace: false,
  },
  drivers: [
    { name: 'oci', runtime: 'crun 1.8.1', unavailable: null },
    { name: 'engine', runtime: null, unavailable: null },
  ],
  isolations: ['container'],
  egress: true,
  runUser: null,
  capacity: { memoryBytes: 8 * GiB, cpus: 2 },
  inUse: { memoryBytes: GiB, cpus: 0.5, runs: 1 },
  warm: [],
  disk: { totalBytes: 100 * GiB, freeBytes: 50 * GiB },
  host: {
    conntrackMax: 262_144,
    corePattern: 'core',
    userNamespaces: 'restricted',
    swap: 'none',
    pidMax: 4_194_304,
    ptyMax: 4_096,
    sentDataReturned: false,
    kernelLogRestricted: true,
    firewall: { problem: null, connections: 1_024, localUsersKeptOut: true },
  },
  startedAt: new Date().toISOString(),
  lastSeenAt: new Date().toISOString(),
});
