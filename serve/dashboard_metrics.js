// Metrics as Prometheus writes them (text format 0.0.4), and quantiles of their histograms.
import { unescape } from "./dashboard_base.js";

const value = (text) => (/^[+-]?Inf$/.test(text) ? Number(`${text}inity`) : Number(text));

// What stands in a scrape: samples by name, each with its labels.
export class Metrics {
  constructor(text) {
    this.samples = new Map(); // name: [{labels, value}]
    for (const [, name, inside = "", number] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +(\S+)/gm)) {
      const labels = {};
      for (const [, key, quoted] of inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key] = unescape(quoted);
      if (!this.samples.has(name)) this.samples.set(name, []);
      this.samples.get(name).push({ labels, value: value(number) });
    }
  }
  all(name) { return this.samples.get(name) ?? []; }
  get(name) { return this.all(name)[0]?.value; }
  sum(name, wanted = {}) {
    const fits = ({ labels }) => Object.entries(wanted).every(([key, text]) => labels[key] === text);
    return this.all(name).filter(fits).reduce((sum, s) => sum + s.value, 0);
  }
  // A histogram as {edges, counts}, the counts not cumulative; the last edge is Infinity.
  histogram(name) {
    const buckets = this.all(`${name}_bucket`).map((s) => ({ edge: value(s.labels.le), n: s.value })).sort((a, b) => a.edge - b.edge);
    return { edges: buckets.map((b) => b.edge), counts: buckets.map((b, i) => b.n - (i ? buckets[i - 1].n : 0)) };
  }
}

// The quantile q, linear within its bucket; the last finite edge where it lies beyond. null of nothing.
export function quantile(edges, counts, q) {
  const total = counts.reduce((a, b) => a + b, 0);
  let rank = q * total;
  if (!(total > 0)) return null;
  for (let i = 0; i < counts.length; i++) {
    const low = i ? edges[i - 1] : 0;
    if (rank <= counts[i] && counts[i] > 0) return edges[i] === Infinity ? low : low + (edges[i] - low) * (rank / counts[i]);
    rank -= counts[i];
  }
  return edges[edges.length - 2];
}
