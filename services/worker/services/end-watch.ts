import type { ServiceContainers } from './containers.ts';

/** Calls `onEnd` when the container that is watched has ended. Each end is told once. */
export function createEndWatch(containers: Pick<ServiceContainers, 'ended'>, onEnd: () => void) {
  let watched = '';
  return {
    /** In the place of the one before. */
    watch(container: string): void {
      if (watched === container) return;
      watched = container;
      const over = () => {
        if (watched !== container) return;
        watched = '';
        onEnd();
      };
      containers.ended(container).then(over, over);
    },
  };
}
