import { describe, expect, it } from 'vitest';
import { containerBody } from '../../../../../services/worker/engine/docker/container-body.ts';
import type { ImageInfo } from '../../../../../services/worker/engine/images.ts';
import {
  labelsFor,
  lookLabelsFor,
  lookName,
  ownerFrom,
  sandboxName,
  serviceLabelsFor,
  serviceName,
  warmLabelsFor,
  warmName,
} from '../../../../../services/worker/labels.ts';
import { containerSpecFor as containerOf } from '../../../../../services/worker/sandbox/drivers/engine/container-spec.ts';
import { resolveCommand } from '../../../../../services/worker/sandbox/program/command.ts';
import { parseUser } from '../../../../../services/worker/sandbox/users/run-users.ts';
import { containerSpecFor, request, sandboxOf, seccompProfile } from '../../../engine/support.ts';

const owner = { run: 'run_1', tenant: 't', attempt: 2, worker: 'w', instance: 'i' };
const image: ImageInfo = {
  id: 'sha256:id',
  digest: null,
  architecture: 'amd64',
  os: 'linux',
  variant: null,
  entrypoint: [],
  cmd: ['sh'],
  env: [],
  workdir: '',
  volumes: [],
  user: '',
  sizeBytes: 1,
  createdAt: '',
};
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });
const specOf = (fields: object = {}, of: Partial<ImageInfo> = {}) =>
  containerSpecFor(request({ command: ['x'], ...fields }), { ...image, ...of }, owner);
const folders = (fields: object, of: Partial<ImageInfo>) => specOf(fields, of).tmpfs.map(({ path }) => path);

describe('what is executed', () => {
  const of = (asked: object, its: Partial<ImageInfo> = { entrypoint: ['E'], cmd: ['C'] }) => {
    const { entrypoint, command } = resolveCommand(asked, { ...image, ...its }, 'image');
    return [...entrypoint, ...command].join(' ');
  };

  it('follows Docker’s rules', () => {
    expect(of({})).toBe('E C');
    expect(of({ command: ['c'] })).toBe('E c');
    expect(of({ command: [] })).toBe('E C');
    expect(of({ entrypoint: ['e'] })).toBe('e');
    expect(of({ entrypoint: ['e'], command: ['c'] })).toBe('e c');
    expect(of({ entrypoint: [], command: ['c'] })).toBe('c');
    expect(of({ entrypoint: [''], command: ['c'] })).toBe('c');
  });

  it('must be something', () => {
    expect(() => of({}, { entrypoint: [], cmd: [] })).toThrow(code('image_without_command'));
    expect(() => of({ entrypoint: [''] })).toThrow(code('image_without_command'));
  });
});

describe('where it is executed', () => {
  it('is the asked folder, else the image’s own, else /work', () => {
    expect(specOf({ workdir: '/srv/x/' }).workdir).toBe('/srv/x');
    expect(specOf({}, { workdir: '/srv' }).workdir).toBe('/srv');
    expect(specOf({}, { workdir: '/' }).workdir).toBe('/work');
    expect(specOf().workdir).toBe('/work');
  });

  it('writable are /work, /tmp, the image’s VOLUMEs, and the start folder inside of them', () => {
    expect(folders({}, {})).toEqual(['/tmp', '/work']);
    expect(folders({}, { volumes: ['/data', '/data/', '/var//lib/x'] })).toEqual([
      '/data',
      '/tmp',
      '/var/lib/x',
      '/work',
    ]);
    expect(folders({ workdir: '/work/a/b' }, {})).toEqual(['/tmp', '/work', '/work/a/b']);
    expect(folders({ workdir: '/working' }, {})).toEqual(['/tmp', '/work']);
    expect(folders({}, { workdir: '/tmp/x' })).toEqual(['/tmp', '/tmp/x', '/work']);
  });

  it.each(['/', '/proc', '/proc/1', '/sys/fs', '/dev', '/a/../proc'])('a VOLUME %s is refused', (path) => {
    expect(() => specOf({}, { volumes: [path] })).toThrow(code('start_failed'));
  });

  it('a HOME is always where it can be written to, unless the request says otherwise', () => {
    expect(specOf().env.HOME).toBe('/work');
    expect(specOf({}, { env: ['HOME=/root'] }).env.HOME).toBe('/work');
    expect(specOf({}, { env: ['HOME=/data'], volumes: ['/data'] }).env.HOME).toBe('/data');
    expect(specOf({ env: { HOME: '/root' } }).env.HOME).toBe('/root');
  });
});

const init = {
  volume: { name: 'runlet-init-1', path: '/.runlet', readOnly: true },
  path: '/.runlet/init',
  hosts: { source: '/volumes/init/hosts', path: '/etc/hosts' },
};

describe('the container that is asked for', () => {
  it('is as hard as it gets, whatever the request', () => {
    const body = containerBody(specOf({ stdin: 'x', writable: true })) as {
      HostConfig: Record<string, unknown>;
    };
    expect(body).toMatchObject({
      User: '1000:1000',
      Tty: false,
      OpenStdin: true,
      StdinOnce: true,
      Healthcheck: { Test: ['NONE'] },
      Hostname: 'runlet',
      HostConfig: {
        CapDrop: ['ALL'],
        CapAdd: [],
        Privileged: false,
        IpcMode: 'private',
        CgroupnsMode: 'private',
        NetworkMode: 'none',
        Memory: 268435456,
        MemorySwap: 268435456,
        PidsLimit: 64,
        NanoCpus: 1e9,
        CpuShares: 1024,
        LogConfig: { Type: 'none' },
        Init: false,
        ReadonlyRootfs: false,
        SecurityOpt: ['no-new-privileges:true', `seccomp=${seccompProfile}`],
      },
    });
    for (const never of [
      'MaskedPaths',
      'ReadonlyPaths',
      'Binds',
      'Devices',
      'PidMode',
      'UsernsMode',
      'VolumesFrom',
      'Runtime',
      'PortBindings',
      'DnsOptions',
    ])
      expect(body.HostConfig).not.toHaveProperty(never);
  });

  it('is as hard under gVisor, but for the init: root of that kernel, to be out of its programs’ reach', () => {
    const asked = request({ isolation: 'gvisor' });
    const spec = containerOf(sandboxOf(asked, image, owner), init);
    const plain = containerOf(sandboxOf(request({}), image, owner), init);
    expect(spec).toEqual({
      ...plain,
      command: ['1000:1000'],
      user: '0:0',
      capabilities: ['KILL', 'SETGID', 'SETPCAP', 'SETUID'],
      runtime: 'runsc',
    });
    expect(containerBody(spec)).toMatchObject({
      HostConfig: {
        CapDrop: ['ALL'],
        Runtime: 'runsc',
        ReadonlyRootfs: true,
        SecurityOpt: expect.arrayContaining(['no-new-privileges:true']),
      },
    });
  });

  it('carries all of our labels, which lead back to its run', () => {
    const spec = specOf();
    expect(spec.name).toBe('runlet-run_1-2');
    expect(ownerFrom(spec.name, spec.labels)).toEqual({ of: 'run', owner });
    expect(ownerFrom('someone-else', spec.labels)).toBeNull();
    expect(ownerFrom(sandboxName(owner), { ...labelsFor(owner), 'dev.runlet.tenant': '' })).toBeNull();
  });

  it('made ahead of its run, leads back to its worker, under its own name and its run’s', () => {
    const warm = { warm: 'wrm_1', worker: 'w', instance: 'i' };
    for (const name of [warmName('wrm_1'), sandboxName(owner)])
      expect(ownerFrom(name, warmLabelsFor(warm))).toEqual({ of: 'warm', owner: warm });
    expect(ownerFrom('someone-else', warmLabelsFor(warm))).toBeNull();
    expect(ownerFrom(warmName('wrm_1'), { ...warmLabelsFor(warm), 'dev.runlet.worker': '' })).toBeNull();
  });

  it('by which an image is looked into, leads back to its worker', () => {
    const look = { look: 'lok_1', worker: 'w', instance: 'i' };
    expect(ownerFrom(lookName('lok_1'), lookLabelsFor(look))).toEqual({ of: 'look', owner: look });
    expect(ownerFrom(lookName('lok_2'), lookLabelsFor(look))).toBeNull();
    expect(ownerFrom(lookName('lok_1'), { ...lookLabelsFor(look), 'dev.runlet.instance': '' })).toBeNull();
  });

  it('kept alive, leads back to its service, and its network does too', () => {
    const whose = { service: 'svc_1', tenant: 't', worker: 'w', instance: 'i' };
    for (const owner of [whose, { ...whose, generation: 3 }]) {
      expect(ownerFrom(serviceName('svc_1'), serviceLabelsFor(owner))).toEqual({ of: 'service', owner });
      expect(ownerFrom('someone-else', serviceLabelsFor(owner))).toBeNull();
      expect(ownerFrom(serviceName('svc_1'), serviceLabelsFor({ ...owner, worker: '' }))).toBeNull();
    }
    const bad = { ...serviceLabelsFor(whose), 'dev.runlet.generation': 'x' };
    expect(ownerFrom(serviceName('svc_1'), bad)).toBeNull();
  });

  it('kept alive, keeps the image’s user and a log, and publishes ports', () => {
    const publish = [
      { containerPort: 80, hostAddress: '127.0.0.1', hostPort: 0 },
      { containerPort: 80, hostAddress: '127.0.0.2', hostPort: 8080 },
    ];
    const service = { publish, log: { maxBytes: 1000, files: 3 } };
    const volumes = [{ name: 'data', path: '/data', readOnly: false, copy: true }];
    const body = containerBody({ ...specOf(), user: '', volumes, service });
    expect(body).not.toHaveProperty('User');
    expect(body).toMatchObject({
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        PortBindings: {
          '80/tcp': [
            { HostIp: '127.0.0.1', HostPort: '0' },
            { HostIp: '127.0.0.2', HostPort: '8080' },
          ],
        },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '1000', 'max-file': '3' } },
        Mounts: [{ Source: 'data', ReadOnly: false, VolumeOptions: { NoCopy: false } }],
        CapDrop: ['ALL'],
        Privileged: false,
      },
    });
  });

  it('has a writable root of a size, and none where it is not written to, or gVisor’s', () => {
    const sizeOf = (fields: object) => {
      const asked = request({ command: ['x'], limits: { diskBytes: 64 * 1024 * 1024 }, ...fields });
      const { HostConfig } = containerBody(containerOf(sandboxOf(asked, image, owner), init)) as {
        HostConfig: { StorageOpt?: object };
      };
      return HostConfig.StorageOpt;
    };
    expect(sizeOf({ writable: true })).toEqual({ size: '67108864' });
    expect(sizeOf({})).toBeUndefined();
    // gVisor maps what is written to a root, where a full disk is no error of a write: the watch has it.
    expect(sizeOf({ writable: true, isolation: 'gvisor' })).toBeUndefined();
  });

  it('starts with the init, which comes in a volume that cannot be written to', () => {
    const asked = request({ command: ['x'], limits: { pids: 7 } });
    const spec = containerOf(sandboxOf(asked, image, owner), init);
    expect(containerBody(spec)).toMatchObject({
      Entrypoint: ['/.runlet/init'],
      Cmd: [],
      OpenStdin: true,
      StdinOnce: true,
      HostConfig: {
        Mounts: [
          { Type: 'volume', Source: 'runlet-init-1', Target: '/.runlet', ReadOnly: true },
          { Type: 'bind', Source: '/volumes/init/hosts', Target: '/etc/hosts', ReadOnly: true },
        ],
        // The init is one of them.
        PidsLimit: 8,
      },
    });
  });

  it('has what goes over the image’s files, read-only, with a network and without', () => {
    const own = { source: '/volumes/accounts/passwd', path: '/etc/passwd' };
    for (const network of [undefined, { name: 'net', dns: [] }]) {
      const spec = containerOf(sandboxOf(request({}), image, owner), init, network, [own]);
      expect(containerBody(spec)).toMatchObject({
        HostConfig: {
          Mounts: expect.arrayContaining([
            { Type: 'bind', Source: own.source, Target: '/etc/passwd', ReadOnly: true },
          ]),
        },
      });
    }
  });

  it('without a network has none of the engine’s; with one it has the engine’s hosts file', () => {
    const asked = request({ network: 'egress' });
    const body = containerBody(
      containerOf(sandboxOf(asked, image, owner), init, { name: 'net', dns: ['192.0.2.1'] }),
    );
    expect(body).toMatchObject({
      NetworkDisabled: false,
      HostConfig: { NetworkMode: 'net', Dns: ['192.0.2.1'], Mounts: [{ Type: 'volume' }] },
    });
    expect(containerBody(specOf())).toMatchObject({
      NetworkDisabled: true,
      HostConfig: { NetworkMode: 'none' },
    });
  });

  it('never runs as root', () => {
    for (const bad of ['0:0', '1000:0', 'root', '1000', '-1:5', ''])
      expect(() => parseUser(bad)).toThrow('uid:gid');
  });
});
