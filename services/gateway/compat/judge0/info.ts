import type { App } from '../../http/mount.ts';
import type { CompatParts } from '../protocol.ts';
import { authorize } from './authority.ts';
import { judge0Language, judge0Languages } from './languages.ts';
import { Judge0Error, route } from './routes.ts';
import { boundsFor, maxBatch, maxExtractKb, type NumberName, numberNames } from './settings.ts';
import { describeStatus, type StatusId, statuses } from './statuses.ts';

/** Clients look up the ids of languages by it. */
const version = '1.13.1';

/** What Judge0 tells of itself: languages, statuses, bounds, workers; and whether a key is accepted. */
export function mountInfo(app: App, gateway: CompatParts): void {
  const shortLanguages = judge0Languages.map(({ id, name }) => ({ id, name }));
  const nobody = () => new Response(null, { status: 200 });

  // Whoever gets here has sent a key that is accepted.
  route(app, 'post', '/authenticate', nobody);
  route(app, 'post', '/authorize', async (c) => {
    await authorize(gateway, c);
    return nobody();
  });
  route(app, 'get', '/languages', (c) => c.json(shortLanguages));
  route(app, 'get', '/languages/all', (c) =>
    c.json(shortLanguages.map((one) => ({ ...one, is_archived: false }))),
  );
  route(app, 'get', '/languages/:id', (c) => {
    const id = c.req.param('id') ?? '';
    const found = /^\d{1,9}$/.test(id) ? judge0Language(Number(id)) : undefined;
    if (found === undefined)
      throw new Judge0Error(404, `Language with id ${id.slice(0, 64).toWellFormed()} not found`);
    const { name, language } = found;
    return c.json({
      id: found.id,
      name,
      is_archived: false,
      source_file: language?.fileName ?? null,
      compile_cmd: language?.compile?.join(' ') ?? null,
      run_cmd: language?.run.join(' ') ?? null,
    });
  });
  route(app, 'get', '/statuses', (c) =>
    c.json(Object.keys(statuses).map((id) => describeStatus(Number(id) as StatusId))),
  );
  route(app, 'get', '/about', (c) =>
    c.json({
      version,
      homepage: 'https://judge0.com',
      source_code: 'https://github.com/judge0/judge0',
      maintainer: '',
    }),
  );
  route(app, 'get', '/version', (c) => c.text(version));
  route(app, 'get', '/config_info', (c) => c.json(configOf(gateway)));
  route(app, 'get', '/system_info', async (c) => c.json(await systemOf(gateway)));
  route(app, 'get', '/workers', async (c) => c.json(await queuesOf(gateway)));
}

const maxima: Record<NumberName, string> = {
  number_of_runs: 'max_number_of_runs',
  cpu_time_limit: 'max_cpu_time_limit',
  cpu_extra_time: 'max_cpu_extra_time',
  wall_time_limit: 'max_wall_time_limit',
  memory_limit: 'max_memory_limit',
  stack_limit: 'max_stack_limit',
  max_processes_and_or_threads: 'max_max_processes_and_or_threads',
  max_file_size: 'max_max_file_size',
};

function configOf({ env, policy }: CompatParts) {
  const bounds = boundsFor(policy);
  return {
    maintenance_mode: false,
    enable_wait_result: true,
    enable_compiler_options: true,
    allowed_languages_for_compile_options: [],
    enable_command_line_arguments: true,
    enable_submission_delete: true,
    enable_callbacks: false,
    callbacks_max_tries: 3,
    callbacks_timeout: 5,
    enable_additional_files: true,
    max_queue_size: env.RUNLET_TENANT_MAX_RUNS,
    ...Object.fromEntries(
      numberNames.flatMap((name) => [
        [name, bounds[name].usual],
        [maxima[name], bounds[name].most],
      ]),
    ),
    enable_per_process_and_thread_time_limit: false,
    allow_enable_per_process_and_thread_time_limit: true,
    enable_per_process_and_thread_memory_limit: false,
    allow_enable_per_process_and_thread_memory_limit: true,
    redirect_stderr_to_stdout: false,
    max_extract_size: maxExtractKb,
    enable_batched_submissions: true,
    max_submission_batch_size: maxBatch,
    enable_network: false,
    allow_enable_network: policy.allowEgress,
    submission_cache_duration: 0,
    use_docs_as_homepage: false,
  };
}

/** All workers together. */
async function systemOf({ workers }: CompatParts) {
  const all = await workers.list();
  const sum = (value: (capacity: { memoryBytes: number; cpus: number }) => number) =>
    all.reduce((total, { capacity }) => total + value(capacity), 0);
  return {
    Architecture: [...new Set(all.map(({ engine }) => engine.architecture))].join(', '),
    'CPU(s)': String(sum(({ cpus }) => cpus)),
    Mem: `${Math.floor(sum(({ memoryBytes }) => memoryBytes) / 1024)}K`,
  };
}

/** All workers serve one queue, and each has several runs at a time. */
async function queuesOf({ workers, queue }: CompatParts) {
  const [all, { waiting = 0, prioritized = 0 }] = await Promise.all([workers.list(), queue.depth()]);
  const ready = all.filter(({ status }) => status === 'ready');
  const working = ready.filter(({ inUse }) => inUse.runs > 0).length;
  return [
    {
      queue: version,
      size: waiting + prioritized,
      available: ready.length,
      idle: ready.length - working,
      working,
      paused: all.length - ready.length,
      failed: 0,
    },
  ];
}
