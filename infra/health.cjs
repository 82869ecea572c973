// The health check of the containers. A program without HTTP is healthy if it can reach its Redis; a worker must also reach its
// Engine. So these are checked, with one connection each:  node infra/health.cjs redis engine
// A gateway is checked by a request to it:  node infra/health.cjs gateway
// This is plain JavaScript without dependencies, since it runs often.
const { get } = require('node:http');
const { connect } = require('node:net');

const checks = {
  redis: () => reaches(process.env.RUNLET_REDIS_URL ?? 'redis://127.0.0.1:6379', 6379),
  engine: () => reaches(process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock', 2375),
  gateway: isHealthy,
};

Promise.all(process.argv.slice(2).map((name) => checks[name]())).then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);

function reaches(address, defaultPort) {
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${address.replace(/\/\/[^@/]*@/, '//')}: ${why}`));
    const socket = connect(placeOf(address, defaultPort));
    socket.setTimeout(3_000, () => fail('no answer'));
    socket.once('error', (error) => fail(error.message));
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}

function isHealthy() {
  const { RUNLET_HOST = '127.0.0.1', RUNLET_PORT = '8080' } = process.env;
  // A server that listens on all addresses also listens on loopback.
  const host = ['0.0.0.0', '::'].includes(RUNLET_HOST) ? '127.0.0.1' : RUNLET_HOST;
  return new Promise((resolve, reject) => {
    const asked = get({ host, port: Number(RUNLET_PORT), path: '/healthz', timeout: 3_000 }, (answer) => {
      answer.resume();
      if (answer.statusCode === 200) resolve();
      else reject(new Error(`the gateway answers ${answer.statusCode}`));
    });
    asked.once('timeout', () => asked.destroy(new Error('the gateway does not answer')));
    asked.once('error', reject);
  });
}

function placeOf(address, defaultPort) {
  if (address.startsWith('unix://')) return { path: address.slice('unix://'.length) };
  // If there are several Sentinel or Cluster nodes, the first one is taken.
  const [, host, port] = /^[a-z+]+:\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/,]+)(?::(\d+))?/.exec(address) ?? [];
  return { host: (host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port: Number(port ?? defaultPort) };
}
