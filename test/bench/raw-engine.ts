import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export type RawEngine = ReturnType<typeof rawEngine>;

/**
 * The peer: a container's life over the bare Engine API, with nothing of ours between.
 * @param calmMs the pool, or a clean-up, is through when so long no container came, went or changed its state
 */
export function rawEngine(dockerHost: string, calmMs: number) {
  if (!dockerHost.startsWith('unix://')) throw new Error('the benchmark wants an Engine on a unix socket');
  const socketPath = dockerHost.slice('unix://'.length);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  const call = (method: string, path: string, body?: unknown) =>
    new Promise<{ status: number; json: Record<string, unknown> }>((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const sent = request(
        {
          socketPath,
          agent,
          method,
          path,
          headers:
            text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString('utf8');
            const json = /^[[{]/.test(answer) ? JSON.parse(answer) : {};
            resolve({ status: response.statusCode ?? 0, json });
          });
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });

  const list = async (label: string) => {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const { json } = await call('GET', `/containers/json?all=1&filters=${filters}`);
    return Object.values(json) as { Id: string; State: string }[];
  };

  return {
    /** create + start + wait, as `docker run --network none` does it; answers the container's id. */
    async run(image: string, runtime?: string): Promise<string> {
      const made = await call('POST', '/containers/create', {
        Image: image,
        HostConfig: { NetworkMode: 'none', ...(runtime !== undefined && { Runtime: runtime }) },
      });
      const id = String(made.json.Id);
      if (made.status !== 201) throw new Error(`create: ${JSON.stringify(made.json)}`);
      await call('POST', `/containers/${id}/start`);
      const waited = await call('POST', `/containers/${id}/wait`);
      if (waited.json.StatusCode !== 0) throw new Error(`wait: ${JSON.stringify(waited.json)}`);
      return id;
    },
    async start(id: string): Promise<void> {
      await call('POST', `/containers/${id}/start`);
    },
    async kill(id: string): Promise<void> {
      await call('POST', `/containers/${id}/kill`);
      await call('POST', `/containers/${id}/wait`);
    },
    /** Of a container on one network. @param id its name will do */
    async addressOf(id: string): Promise<string> {
      const { json } = await call('GET', `/containers/${id}/json`);
      const { Networks } = json.NetworkSettings as { Networks: Record<string, { IPAddress: string }> };
      return Object.values(Networks)[0]?.IPAddress ?? '';
    },
    async remove(id: string): Promise<void> {
      await call('DELETE', `/containers/${id}?v=1&force=1`);
    },
    /** The first process of a container. */
    async pidOf(id: string): Promise<number> {
      const { json } = await call('GET', `/containers/${id}/json`);
      return (json.State as { Pid: number }).Pid;
    },
    async containersOfRuns(): Promise<string[]> {
      return (await list('dev.runlet.run')).map(({ Id }) => Id);
    },
    /** Until no container of a run is left. */
    async drained(): Promise<void> {
      while ((await list('dev.runlet.run')).length > 0) await sleep(5);
      await sleep(20);
    },
    /** Until no container of ours comes, goes or changes its state. @param also what must not change either */
    async calm(ms = calmMs, also = () => ''): Promise<void> {
      let last = '';
      for (let since = performance.now(); performance.now() - since < ms; ) {
        const containers = (await list('dev.runlet.instance')).map(({ Id, State }) => Id + State);
        const now = `${containers.join()} ${also()}`;
        if (now !== last) since = performance.now();
        last = now;
        await sleep(50);
      }
    },
    close: () => agent.destroy(),
  };
}
