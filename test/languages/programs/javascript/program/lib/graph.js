export class Graph {
  #roads = new Map();

  road(from, to, length) {
    for (const [a, b] of [
      [from, to],
      [to, from],
    ]) {
      if (!this.#roads.has(a)) this.#roads.set(a, new Map());
      this.#roads.get(a).set(b, length);
    }
  }

  route(from, to) {
    const best = new Map([[from, { length: 0, path: [from] }]]);
    const open = new Set([from]);
    while (open.size > 0) {
      const place = [...open].reduce((a, b) => (best.get(b).length < best.get(a).length ? b : a));
      if (place === to) return best.get(to);
      open.delete(place);
      for (const [next, step] of this.#roads.get(place) ?? []) {
        const length = best.get(place).length + step;
        if (length >= (best.get(next)?.length ?? Number.POSITIVE_INFINITY)) continue;
        best.set(next, { length, path: [...best.get(place).path, next] });
        open.add(next);
      }
    }
    return undefined;
  }
}
