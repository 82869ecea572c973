import { Connection, type Limits } from './connection.ts';

/** Connections to one container from one gateway, WebSockets included. */
const maxConnections = 2_048;
const maxIdle = 256;

export type Pool = ReturnType<typeof createPool>;

/** Connections to one container. The owner closes the pool when there is another container. */
export function createPool(address: { host: string; port: number }, limits: Limits) {
  const all = new Set<Connection>();
  /** The one that was used last is taken first, so that the others can expire. */
  const idle: Connection[] = [];
  let closed = false;

  function release(connection: Connection, reusable: boolean): void {
    if (!reusable) {
      all.delete(connection);
      const at = idle.indexOf(connection);
      if (at !== -1) idle.splice(at, 1);
    } else if (closed || idle.length >= maxIdle) connection.socket.destroy();
    else idle.push(connection);
  }

  function open(forTunnel: boolean): Connection | undefined {
    if (all.size >= maxConnections) return undefined;
    const connection = new Connection(address, limits, release, forTunnel);
    all.add(connection);
    return connection;
  }

  return {
    address,

    /** `undefined`: there are too many. @param fresh a new connection is needed */
    take(fresh: boolean): Connection | undefined {
      const now = performance.now();
      for (let one = fresh ? undefined : idle.pop(); one !== undefined; one = idle.pop()) {
        if (!one.socket.destroyed && one.idleUntil > now) return one;
        one.socket.destroy();
      }
      return open(false);
    },

    /** A connection that will be handed over after a 101. */
    takeForTunnel: () => open(true),

    /** Closes what has been idle for too long. */
    sweep(): void {
      const now = performance.now();
      for (const connection of idle.filter(({ idleUntil }) => idleUntil <= now)) connection.socket.destroy();
    },

    /** Requests that are under way can end. */
    close(): void {
      closed = true;
      for (const connection of idle.splice(0)) connection.socket.destroy();
    },

    /** Requests that are under way are broken off. */
    destroy(): void {
      this.close();
      for (const connection of all) connection.socket.destroy();
    },
  };
}
