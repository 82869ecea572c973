import { describe, expect, it } from 'vitest';
import { digestFor } from '../../../services/worker/engine/docker/images.ts';
import { pullProblem } from '../../../services/worker/engine/docker/pull-errors.ts';
import { startProblem } from '../../../services/worker/engine/docker/start.ts';

/** Texts of engines and runtimes other than the one at hand; what is asked of the real one stands in the tests beside. */
describe('a pull’s failure by its text', () => {
  it.each([
    ['manifest for busybox:nope not found: manifest unknown: manifest unknown', 'image_not_found'],
    [
      'failed to resolve reference "docker.io/library/x:latest": docker.io/library/x:latest: not found',
      'image_not_found',
    ],
    [
      "pull access denied for nope, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
      'image_not_found',
    ],
    [
      'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
      'image_not_found',
    ],
    ['Get "https://x.example/v2/": no basic auth credentials', 'registry_auth'],
    ['Head "https://x.example/v2/a/manifests/b": unauthorized: authentication required', 'registry_auth'],
    [
      'failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized',
      'registry_auth',
    ],
    [
      'Get "https://x.example/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
      'registry_unavailable',
    ],
    ['Get "https://x.example/v2/": dial tcp: lookup x.example: no such host', 'registry_unavailable'],
    ['Get "https://x.example/v2/": net/http: TLS handshake timeout', 'registry_unavailable'],
    ['Get "https://x.example/v2/": x509: certificate signed by unknown authority', 'registry_unavailable'],
    ['Get "https://x.example/v2/": http: server gave HTTP response to HTTPS client', 'registry_unavailable'],
    ['received unexpected HTTP status: 503 Service Unavailable', 'registry_unavailable'],
    ['toomanyrequests: You have reached your pull rate limit.', 'registry_unavailable'],
    ['no matching manifest for linux/arm64/v8 in the manifest list entries', 'platform_mismatch'],
    [
      'image operating system "windows" cannot be used on this platform: operating system is not supported',
      'platform_mismatch',
    ],
    ['failed to register layer: write /x: no space left on device', 'pull_failed'],
    ['filesystem layer verification failed for digest sha256:00', 'pull_failed'],
  ])('%s → %s', (text, code) => {
    expect(pullProblem('x.example/a:b', text, false).code).toBe(code);
  });

  it('means refused credentials where credentials were given', () => {
    const text = "pull access denied for a, repository does not exist or may require 'docker login'";
    expect(pullProblem('a', text, true).code).toBe('registry_auth');
    expect(pullProblem('a', text, false).message).toMatch(
      /or it is private.*PUT \/v1\/registries\/docker\.io/,
    );
  });
});

describe('a start’s failure by its text', () => {
  it.each([
    [
      'OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "x": executable file not found in $PATH: unknown',
      'command_not_found',
      '"x"',
    ],
    [
      'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/x": stat /x: no such file or directory: unknown',
      'command_not_found',
      '"/x"',
    ],
    [
      'failed to create shim task: OCI runtime create failed: unable to start container process: error during container init: exec: "/etc": is a directory: unknown',
      'command_not_executable',
      '"/etc"',
    ],
    [
      'OCI runtime create failed: runc create failed: unable to start container process: exec: "/x": permission denied: unknown',
      'command_not_executable',
      '"/x"',
    ],
    [
      'crun: executable file `x` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found',
      'command_not_found',
      '"x"',
    ],
    [
      'OCI runtime start failed: starting container: starting root container: starting sandbox: error finding executable "x" in PATH [/bin]: no such file or directory',
      'command_not_found',
      '"x"',
    ],
    [
      'OCI runtime create failed: chdir to cwd ("/secret") set in config.json failed: permission denied',
      'start_failed',
      '/secret',
    ],
    [
      'driver failed programming external connectivity on endpoint x (6f): Error starting userland proxy: listen tcp4 127.0.0.1:5432: bind: address already in use',
      'conflict',
      '127.0.0.1:5432',
    ],
    [
      'failed to set up container networking: driver failed programming external connectivity on endpoint x (6f): Bind for 0.0.0.0:80 failed: port is already allocated',
      'conflict',
      '0.0.0.0:80',
    ],
    [
      'failed to set up container networking: driver failed programming external connectivity on endpoint x (6f): failed to bind host port for 0.0.0.0:80:172.17.0.2:80/tcp: address already in use',
      'conflict',
      '0.0.0.0:80',
    ],
    [
      'OCI runtime create failed: error mounting "proc": no such file or directory',
      'start_failed',
      'mounted',
    ],
  ])('%s → %s', (text, code, named) => {
    const problem = startProblem(text);
    expect(problem.code).toBe(code);
    expect(problem.message).toContain(named);
  });
});

describe('the digest of an image', () => {
  const [a, b] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];

  it('is the one of the reference’s own repository', () => {
    const known = [`other.example/busybox@${a}`, `busybox@${b}`];
    expect(digestFor('docker.io/library/busybox:1', known)).toBe(b);
    expect(digestFor('other.example/busybox', known)).toBe(a);
    expect(digestFor('third.example/busybox', known)).toBeNull();
  });

  it('is the one that was asked for, where several are known', () => {
    expect(digestFor(`busybox@${b}`, [`busybox@${a}`, `busybox@${b}`])).toBe(b);
  });
});
