import { beside } from './beside.ts';
import { burst } from './burst.ts';
import { cold } from './cold.ts';
import { commandLine } from './command-line.ts';
import type { Context } from './context.ts';
import { density } from './density.ts';
import { gvisor } from './gvisor.ts';
import { judge } from './judge.ts';
import { languages } from './languages.ts';
import type { Row } from './measure.ts';
import { memory } from './memory.ts';
import { pastPool } from './past-pool.ts';
import { serviceProxy } from './proxy.ts';
import { staggered } from './staggered.ts';
import { sustained } from './sustained.ts';
import { wake } from './wake.ts';
import { warm } from './warm.ts';
import { webhookDeliveries } from './webhooks.ts';

/** Each can be measured by itself, under its name. In this order: a worker keeps a sandbox warm for each image that came before. */
export const parts: { name: string; says: string; measure: (context: Context) => Promise<Row[]> }[] = [
  { name: 'cold', says: 'nothing made ready: latency, and 1, 4, 16 at a time *', measure: cold },
  { name: 'warm', says: 'made ready: sh, hello-world, bash, Python *', measure: warm },
  { name: 'past', says: 'runs that find the pool empty', measure: pastPool },
  { name: 'staggered', says: 'a hundred runs, 200 ms apart *', measure: staggered },
  { name: 'burst', says: 'a hundred runs at once *', measure: burst },
  {
    name: 'sustained',
    says: 'without a pause: 1, 4, 16 at a time; CPU time a run, by process *',
    measure: sustained,
  },
  { name: 'cli', says: 'the command itself: run, ps, --help', measure: commandLine },
  { name: 'density', says: 'how many runs that sleep fit into a GiB *', measure: density },
  { name: 'gvisor', says: 'isolation gvisor, cold and warm *', measure: gvisor },
  { name: 'judge', says: 'one C++ program, fifty inputs', measure: judge },
  { name: 'languages', says: '`hi` in every language whose image can be had', measure: languages },
  { name: 'memory', says: 'the worker’s, while programs write without end', measure: memory },
  { name: 'webhooks', says: 'ten thousand deliveries to a local receiver', measure: webhookDeliveries },
  { name: 'proxy', says: 'requests to a service, through the gateway and past it', measure: serviceProxy },
  { name: 'wake', says: 'the first request to an idle service', measure: wake },
  { name: 'piston', says: 'beside the server that --piston names *', measure: beside('Piston', '< 0.50') },
  { name: 'go-judge', says: 'beside the server that --go-judge names *', measure: beside('go-judge', '') },
];
