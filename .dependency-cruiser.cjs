// The house's arrows (services → shared, never sideways) as rules, so that no one has to remember them.
const programs = ['gateway', 'worker', 'notifier', 'cli'];

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
      name: 'sandbox-knows-no-run',
      comment: 'Whoever wants a sandbox knows it; it knows nobody who does.',
      severity: 'error',
      from: { path: '^services/worker/sandbox/' },
      to: { path: '^services/worker/(run|intake|node|services)/' },
    },
    {
      name: 'what-sandboxes-stand-on-knows-none',
      severity: 'error',
      from: { path: '^services/worker/(engine|network|images|disk)/' },
      to: { path: '^services/worker/(sandbox|run|intake|node|services)/' },
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
      to: { path: 'node_modules/(hono|@hono|dockerode)' },
    },
    {
      name: 'cli-is-a-client-only',
      comment: 'The CLI speaks the public HTTP API: no Redis, no queue, no engine.',
      severity: 'error',
      from: { path: '^services/cli/' },
      to: { path: '(node_modules/(ioredis|bullmq|hono|dockerode)|^shared/(stores|redis|config|queue))' },
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, dependencyTypesNot: ['type-only'] },
    },
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
