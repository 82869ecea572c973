// The house's arrows (services → shared, never sideways) as rules, so that no one has to remember them.
const programs = ['gateway', 'worker', 'notifier', 'cli'];

/** The gateway's features: none uses another one's insides, but for what stands here. What several need lies below them. */
const features = {
  // Other systems' protocols are mappings over runs.
  compat: ['runs/[a-z-]+'],
  docs: [],
  health: [],
  images: [],
  keys: [],
  languages: [],
  runs: [],
  webhooks: [],
  workers: [],
  // A program that is started inside of a service is a run.
  services: ['runs/(load|submit|watch)'],
  // A request wakes its service, or brings the token of a signed URL.
  proxy: ['services/(actions|signed-url)'],
  // It does what users ask for as well: forgets runs, places services and gives them up.
  janitor: ['runs/forget-blobs', 'services/(load|place|settle)'],
};
const anyFeature = `^services/gateway/(${Object.keys(features).join('|')})/`;

// The worker's floors, the highest first: a room imports from its own floor's room and from lower ones. `environment.ts` is read on all.
const workerFloors = [
  ['main.ts', 'shutdown.ts', 'connect.ts'],
  ['intake/'],
  ['services/'],
  ['run/'],
  ['node/'],
  ['sandbox/'],
  ['images/', 'network/', 'disk/'],
  ['labels.ts'],
  ['engine/'],
];
const inWorker = (rooms) => `^services/worker/(${rooms.join('|').replaceAll('.', '\\.')})`;
const workerRules = [
  ...workerFloors.flatMap((floor, level) =>
    floor.map((room) => ({
      name: `worker-${room.replace(/\W.*/, '')}-imports-nothing-above`,
      comment:
        'main → intake → services → run → node → sandbox → images, network, disk → engine; types, too.',
      severity: 'error',
      from: { path: inWorker([room]) },
      to: {
        path: inWorker(workerFloors.slice(0, level + 1).flat()),
        pathNot: inWorker(level === 0 ? floor : [room]),
      },
    })),
  ),
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...programs.map((program) => ({
      name: `${program}-stands-alone`,
      comment: 'Programs agree through shared/, they never import one another.',
      severity: 'error',
      from: { path: `^services/${program}/` },
      to: { path: '^services/', pathNot: `^services/${program}/` },
    })),
    {
      name: 'shared-knows-no-program',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(services|infra|test)/' },
    },
    {
      name: 'services-know-no-infra-or-test',
      severity: 'error',
      from: { path: '^services/' },
      to: { path: '^(infra|test)/', pathNot: '^infra/.*\\.json$' },
    },
    {
      name: 'only-engine-talks-to-docker',
      comment: 'The Docker client stays behind the Engine interface.',
      severity: 'error',
      from: { path: '^(services|shared)/', pathNot: '^services/worker/engine/' },
      to: { path: 'node_modules/(dockerode|docker-modem)' },
    },
    {
      name: 'worker-knows-no-http',
      severity: 'error',
      from: { path: '^services/worker/' },
      to: { path: 'node_modules/(hono|@hono)' },
    },
    {
      name: 'drivers-stand-behind-their-port',
      comment:
        'The way of a run, the pool and the reaper know sandbox/driver.ts. Services are containers of the engine’s, and say so.',
      severity: 'error',
      from: {
        path: '^services/worker/',
        pathNot: '^services/worker/(main\\.ts|services/|sandbox/(open-sandboxes\\.ts|drivers/))',
      },
      to: { path: '^services/worker/sandbox/drivers/engine/' },
    },
    {
      name: 'notifier-serves-nobody',
      comment: 'It calls others; nobody calls it, and it knows no engine.',
      severity: 'error',
      from: { path: '^services/notifier/' },
      to: { path: 'node_modules/(hono|@hono|dockerode|docker-modem)' },
    },
    {
      name: 'cli-is-a-client-only',
      comment: 'The CLI speaks the public HTTP API: no Redis, no queue, no engine.',
      severity: 'error',
      from: { path: '^services/cli/' },
      to: {
        path: '(node_modules/(ioredis|bullmq|hono|dockerode|docker-modem)|^shared/(stores|redis|config|queue))',
      },
    },
    {
      name: 'only-stores-touch-redis',
      comment:
        'Commands and key names stay in stores. The others here only hold a connection: mains and gateway.ts make stores with it, BullMQ takes it for a queue, and the input of an interactive run is read by a connection of its own, which blocks.',
      severity: 'error',
      from: {
        path: '^services/',
        pathNot: [
          '^services/[^/]+/stores/',
          '^services/[^/]+/main\\.ts$',
          '^services/gateway/gateway\\.ts$',
          '^services/gateway/run-queue\\.ts$',
          '^services/worker/connect\\.ts$',
          '^services/worker/intake/(run-queue|waiting-fetch)\\.ts$',
          '^services/worker/run/attach-input\\.ts$',
          '^services/notifier/delivery-queue\\.ts$',
        ],
      },
      to: { path: '^shared/redis\\.ts$|node_modules/ioredis/' },
    },
    ...Object.entries(features).map(([feature, allowed]) => ({
      name: `gateway-${feature}-uses-no-other-feature`,
      severity: 'error',
      from: { path: `^services/gateway/${feature}/` },
      to: {
        path: anyFeature,
        pathNot: [feature, ...allowed].map((path) => `^services/gateway/${path}(/|\\.ts$)`),
      },
    })),
    {
      name: 'gateway-carriers-know-no-feature',
      comment:
        'HTTP, the server, the keyring and the stores carry the features: app.ts and main.ts put them together.',
      severity: 'error',
      from: { path: '^services/gateway/(http|server|keyring|stores)/' },
      to: { path: [anyFeature, '^services/gateway/(main|app|gateway|shutdown|api-key)\\.ts$'] },
    },
    {
      name: 'gateway-http-knows-no-server',
      comment: 'One way: server → http → keyring → stores.',
      severity: 'error',
      from: { path: '^services/gateway/(http|keyring|stores)/' },
      to: { path: '^services/gateway/server/' },
    },
    {
      name: 'gateway-keyring-and-stores-know-no-http',
      severity: 'error',
      from: { path: '^services/gateway/(keyring|stores)/' },
      to: { path: '^services/gateway/http/' },
    },
    {
      name: 'gateway-features-know-no-app',
      severity: 'error',
      from: { path: anyFeature },
      to: { path: '^services/gateway/((main|app|shutdown|api-key)\\.ts$|server/)' },
    },
    {
      name: 'http1-stands-alone',
      comment: 'Our own HTTP/1.1 is walled in: it knows nothing of services, keys or the rest of the proxy.',
      severity: 'error',
      from: { path: '^services/gateway/proxy/http1/' },
      to: { path: '^services/gateway/', pathNot: '^services/gateway/proxy/http1/' },
    },
    { name: 'no-circles', comment: 'Of types neither.', severity: 'error', from: {}, to: { circular: true } },
    ...workerRules,
    { name: 'no-lost-imports', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
