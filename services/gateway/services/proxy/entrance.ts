import { Problem } from '../../../../shared/problems.ts';
import { serviceUrl } from '../../../../shared/stores/service-present.ts';
import type { Gateway } from '../../gateway.ts';
import { type Admit, notFound, type Pass } from './access.ts';
import { confine } from './by-path.ts';
import type { Caller } from './caller.ts';
import { tokenInQuery } from './credentials.ts';
import type { Known, KnownServices } from './known-services.ts';
import type { Pool } from './pool.ts';
import type { AwaitReady } from './readiness.ts';
import { requestHead } from './request-head.ts';
import type { Target } from './target.ts';

export type Wanted = Pick<Caller, 'method' | 'host' | 'fields' | 'address'> & { target: Target };

/** The service that a request is for, once it may call it. */
export type Admitted = { known: Known; pass: Pass };

/** What the container is sent, and what is done to what it answers. */
export type Dressed = { head: string; dress: (fields: string[]) => string[] };

const asItCame = (fields: string[]) => fields;

/**
 * The way of a request up to its container. In steady use nothing here waits: a promise is made only where there is something to wait
 * for, and awaited only then.
 */
export function entranceTo(parts: {
  gateway: Gateway;
  services: KnownServices;
  admit: Admit;
  awaitReady: AwaitReady;
}) {
  const { gateway, services, admit, awaitReady } = parts;
  const proto = new URL(gateway.env.RUNLET_PUBLIC_URL).protocol.slice(0, -1);

  return {
    proto,

    /** Throws the problem that is to be answered. */
    async enter({ method, host, fields, target }: Wanted): Promise<Admitted> {
      if (target.kind !== 'name' && target.kind !== 'path') throw notFound(host);
      const found = services.find(target);
      const known = found instanceof Promise ? await found : found;
      if (known === undefined) throw notFound(target.kind === 'name' ? target.name : target.id);
      const { head } = known.record;
      const admitted = admit(head, { method, host, target: target.path, fields });
      const pass = admitted instanceof Promise ? await admitted : admitted;
      if (head.request.port === undefined)
        throw new Problem(
          'not_found',
          `The service ${head.name} has no \`port\` for HTTP: create it with one, or call its \`tcpPorts\`.`,
        );
      return { known, pass };
    },

    /** The connections to its container, once it is ready. `undefined`: the client has gone. */
    async reach(known: Known, caller: Pick<Caller, 'gone' | 'whenGone'>): Promise<Pool | undefined> {
      const fresh = services.use(known);
      if (fresh !== undefined) await fresh;
      const ready = awaitReady(known, caller);
      if (ready !== undefined) await ready;
      if (caller.gone) return undefined;
      const pool = services.poolOf(known);
      if (pool === undefined)
        throw new Problem(
          'service_unreachable',
          `The port of the service ${known.record.head.name} is not published on its worker's machine: restart the service.`,
        );
      return pool;
    },

    dressed(
      { known, pass }: Admitted,
      { method, host, fields, address, target }: Wanted,
      bodyLength: number | undefined,
      upgrade: string | undefined,
    ): Dressed {
      const prefix = target.kind === 'path' ? `/s/${target.id}` : '';
      // By path it is told the name that it has by name: what it makes of that leads to an origin that is its own.
      const told = prefix === '' ? host : new URL(serviceUrl(known.record.head, gateway.env)).host;
      const head = requestHead({
        method,
        target: tokenInQuery(target.path).target,
        host: told,
        fields,
        passAuthorization: pass.passAuthorization,
        bodyLength,
        from: { address, host, proto, prefix },
        upgrade,
      });
      return { head, dress: prefix === '' ? asItCame : (answer) => confine(answer, prefix, told) };
    },
  };
}

export type Entrance = ReturnType<typeof entranceTo>;
