import { Problem } from '../../../shared/problems.ts';
import { serviceUrl } from '../../../shared/stores/service-present.ts';
import type { Gateway } from '../gateway.ts';
import { trustedProxies } from '../trusted-proxies.ts';
import type { Admit, Pass } from './access/access.ts';
import { tokenInQuery } from './access/credentials.ts';
import { ofHost } from './by-name.ts';
import { confine } from './by-path.ts';
import type { Caller } from './clients/caller.ts';
import type { Pool } from './http1/pool.ts';
import type { Known, KnownServices } from './known-services.ts';
import { after } from './maybe-async.ts';
import { requestHead } from './request-head.ts';
import type { Target } from './target.ts';
import type { AwaitReady, Waiting } from './wake.ts';

export type EntranceParts = Pick<Gateway, 'env'>;

export type Wanted = Pick<Caller, 'method' | 'host' | 'fields' | 'address'> & { target: Target };

/** The service that a request is for, and how the request may go on. */
export type Admitted = { known: Known; pass: Pass };

/** The head that the container is sent, and what is changed in its answer. */
export type Prepared = {
  head: string;
  changeFields: (fields: readonly string[]) => readonly string[];
  hold: Pass['hold'];
};

/** The steps of a request before its container: find the service, check access, wait until it is ready. In steady use none of them waits. */
export function createEntrance(parts: {
  gateway: EntranceParts;
  services: KnownServices;
  admit: Admit;
  awaitReady: AwaitReady;
}) {
  const { gateway, services, admit, awaitReady } = parts;
  const trusts = trustedProxies(gateway.env.RUNLET_TRUSTED_PROXIES);
  const proto = new URL(gateway.env.RUNLET_PUBLIC_URL).protocol.slice(0, -1);

  return {
    proto,

    /** Throws the problem to answer with. */
    enter({ method, host, fields, target }: Wanted): Admitted | Promise<Admitted> {
      const found = target.kind === 'name' || target.kind === 'path' ? services.find(target) : undefined;
      return after(found, (known) => {
        const head = known?.record.head;
        return after(admit(head, { method, host, target: target.path, fields }), (pass) => {
          if (known === undefined || head === undefined)
            throw new Error('a request was admitted to a service that does not exist');
          if (head.request.port === undefined) throw noPort(head.name);
          return { known, pass };
        });
      });
    },

    /** The connections to its container, once the service is ready. `undefined`: the client has gone. */
    reach(known: Known, caller: Waiting): Pool | undefined | Promise<Pool | undefined> {
      const ready = after(services.use(known), () => awaitReady(known, caller));
      return after(ready, () => {
        if (caller.gone) return undefined;
        const pool = services.poolOf(known);
        if (pool === undefined) throw notPublished(known.record.head.name);
        return pool;
      });
    },

    /** The request as the container gets it. */
    prepare(
      { known, pass }: Admitted,
      { method, host, fields, address, target }: Wanted,
      bodyLength: number | undefined,
      upgrade: string | undefined,
    ): Prepared {
      const prefix = target.kind === 'path' ? `/s/${target.id}` : '';
      // By path too it is sent the host name of the service: links that it makes from it lead to the service's own origin.
      const hostForContainer =
        prefix === '' ? host : new URL(serviceUrl(known.record.head, gateway.env)).host;
      const head = requestHead({
        method,
        target: tokenInQuery(target.path).target,
        host: hostForContainer,
        fields,
        passAuthorization: pass.passAuthorization,
        bodyLength,
        from: { address, host, proto, prefix, trusted: trusts(address) },
        upgrade,
      });
      return {
        head,
        changeFields: (answer) =>
          prefix === '' ? ofHost(answer, host) : confine(answer, prefix, hostForContainer),
        hold: pass.hold,
      };
    },
  };
}

const noPort = (name: string) =>
  new Problem(
    'not_found',
    `The service ${name} has no \`port\` for HTTP: create it with one, or call its \`tcpPorts\`.`,
  );

const notPublished = (name: string) =>
  new Problem(
    'service_unreachable',
    `The port of the service ${name} is not published on its worker's machine: restart the service.`,
  );

export type Entrance = ReturnType<typeof createEntrance>;
