import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type DockerHostOptions = {
  /** `unix:///path`, `tcp://host:port`, `https://host:port` or `ssh://user@host`; as DOCKER_HOST. */
  dockerHost?: string | undefined;
  /** A folder with ca.pem, cert.pem and key.pem; as DOCKER_CERT_PATH. */
  certPath?: string | undefined;
  /** As DOCKER_TLS_VERIFY. */
  tlsVerify?: boolean | undefined;
};

export type DockerTransport = {
  /** For the client library's constructor. */
  options: object;
  protocol: 'http' | 'https' | 'ssh';
  local: boolean;
  /** As a sentence names it. */
  shown: string;
};

export const defaultDockerHost = 'unix:///var/run/docker.sock';

/**
 * Reads an address as the docker command does. Every field is set, because the client library would fill a missing
 * one from the process's environment. Throws an Error on an address of no known kind.
 */
export function transportFor(host: DockerHostOptions): DockerTransport {
  const address = host.dockerHost || defaultDockerHost;
  const nothing = { host: undefined, port: undefined, socketPath: undefined };
  if (address.startsWith('unix://')) {
    const socketPath = address.slice('unix://'.length) || '/var/run/docker.sock';
    return {
      options: { ...nothing, socketPath, protocol: 'http' },
      protocol: 'http',
      local: true,
      shown: socketPath,
    };
  }
  const url = URL.parse(address.includes('://') ? address : `tcp://${address}`);
  if (url === null || url.hostname === '' || !['tcp:', 'http:', 'https:', 'ssh:'].includes(url.protocol))
    throw new Error(`DOCKER_HOST is "${address}": use unix:///path, tcp://host:port or ssh://user@host`);
  const shown = `${url.protocol}//${url.host}`;
  const common = { ...nothing, host: url.hostname, pathPrefix: '/' };
  if (url.protocol === 'ssh:') {
    const options = {
      ...common,
      port: url.port || 22,
      username: url.username,
      protocol: 'ssh',
      sshOptions: { agent: process.env.SSH_AUTH_SOCK },
    };
    return { options, protocol: 'ssh', local: false, shown };
  }
  const tls = url.protocol === 'https:' || host.tlsVerify === true || url.port === '2376';
  const protocol = tls ? 'https' : 'http';
  const port = url.port || (tls ? 2376 : 2375);
  return {
    options: { ...common, port, protocol, ...(tls && keys(host.certPath)) },
    protocol,
    local: false,
    shown,
  };
}

function keys(certPath: string | undefined): object {
  if (certPath === undefined) return {};
  const read = (name: string) => readFileSync(join(certPath, name));
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}
