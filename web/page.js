// What the stack has, called from this browser: one button a counter, and a comparison.

const CALL_TIMEOUT_MS = 30_000;
// So many calls in a row that reach nobody, and a comparison ends.
const UNREACHABLE_IN_A_ROW = 3;
const LOAD_AGAIN_MS = 2_000;

const DASH = "–";
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const ms = (value) => (value === undefined ? DASH : value.toFixed(2));

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function say(problem) {
  // Screen readers read it again only if it changes.
  if (byId("problem").textContent !== problem) byId("problem").textContent = problem;
}

/** Nobody answered, or not in time. */
class Unreachable extends Error {}

/** One call: the whole body, and how many milliseconds it took. */
async function call(url, stopped) {
  const late = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const signal = stopped ? AbortSignal.any([stopped, late]) : late;
  const begun = performance.now();
  let response;
  let text;
  try {
    response = await fetch(url, { cache: "no-store", signal });
    text = await response.text();
  } catch (error) {
    if (stopped?.aborted) throw error;
    throw new Unreachable("The API can't be reached. Try again when it is back.", { cause: error });
  }
  const took = performance.now() - begun;
  return { ok: response.ok, status: response.status, text, took };
}

// The buttons

function counter(architecture) {
  const answer = element("output");
  const button = element("button", { type: "button", textContent: `Hit ${architecture.name}` });
  button.dataset.architecture = architecture.name;
  button.addEventListener("click", async () => {
    // Disabled it would lose the focus.
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    try {
      const { ok, status, text, took } = await call(architecture.url);
      answer.textContent = ok
        ? `${text.trim()} hits, ${ms(took)} ms`
        : `Failed with status ${status}, ${ms(took)} ms`;
      say("");
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      answer.textContent = "No answer";
      say(error.message);
    } finally {
      button.ariaDisabled = "false";
    }
  });
  const description = element("p", { textContent: architecture.description ?? "" });
  return element("li", {}, button, description, answer);
}

// The comparison

/** What the calls to one architecture took. */
class Latencies {
  first = DASH;
  failures = 0;
  sorted = [];
  sum = 0;

  add(took) {
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] <= took) low = middle + 1;
      else high = middle;
    }
    this.sorted.splice(low, 0, took);
    this.sum += took;
  }

  get mean() {
    return this.sorted.length ? this.sum / this.sorted.length : undefined;
  }

  /** By the nearest rank: the least latency that this share of all calls did not exceed. */
  percentile(share) {
    return this.sorted[Math.ceil(this.sorted.length * share) - 1];
  }
}

// Bins of the same width on a logarithmic axis, eight to a doubling: the widths that matter are ratios.
const BINS_PER_DOUBLING = 8;
const bin = (took) => Math.floor(Math.log2(Math.max(took, 0.01)) * BINS_PER_DOUBLING);
const edge = (index) => 2 ** (index / BINS_PER_DOUBLING);

/** The axis that all histograms share. */
function axis(all) {
  const shortest = all.flatMap(({ sorted }) => sorted.slice(0, 1));
  const longest = all.flatMap(({ sorted }) => sorted.slice(-1));
  return shortest.length
    ? { from: bin(Math.min(...shortest)) - 1, to: bin(Math.max(...longest)) + 2 }
    : { from: 0, to: 1 };
}

const [WIDTH, HEIGHT, BASE] = [400, 130, 110];

function histogram(name, latencies, { from, to }) {
  const counts = new Map();
  for (const took of latencies.sorted) counts.set(bin(took), (counts.get(bin(took)) ?? 0) + 1);
  const most = Math.max(1, ...counts.values());
  const x = (index) => ((index - from) / (to - from)) * WIDTH;
  const bars = [...counts].map(([index, count]) =>
    drawn("rect", {
      x: x(index),
      y: BASE - (count / most) * (BASE - 10),
      width: Math.max(1, x(index + 1) - x(index) - 0.5),
      height: (count / most) * (BASE - 10),
      "data-from": edge(index),
      "data-to": edge(index + 1),
      "data-count": count,
    }),
  );
  const first = Math.ceil(from / BINS_PER_DOUBLING);
  const doublings = Array.from(
    { length: Math.max(0, Math.floor(to / BINS_PER_DOUBLING) - first + 1) },
    (_, step) => first + step,
  );
  const every = Math.max(1, Math.ceil(doublings.length / 8));
  const marks = doublings
    .filter((_, step) => step % every === 0)
    .map((power) => {
      const at = x(power * BINS_PER_DOUBLING);
      return drawn("text", { x: at, y: BASE + 15, "text-anchor": "middle" }, `${+(2 ** power).toPrecision(2)} ms`);
    });
  const label = latencies.sorted.length
    ? `${name}: ${latencies.sorted.length} calls, half of them within ${ms(latencies.percentile(0.5))} ms, ` +
      `99 % within ${ms(latencies.percentile(0.99))} ms`
    : `${name}: no calls yet`;
  const base = drawn("line", { x1: 0, x2: WIDTH, y1: BASE, y2: BASE });
  const picture = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label };
  return drawn("svg", picture, ...bars, base, ...marks);
}

function row(architecture) {
  const { name, usd_per_million: cost, published } = architecture;
  const cell = (key, text = DASH, title = "") => {
    const made = element("td", { textContent: text, title });
    made.dataset.column = key;
    return made;
  };
  const measured = ["calls", "failures", "first", "mean", "p50", "p99"].map((key) => cell(key));
  const made = element(
    "tr",
    {},
    element("th", { scope: "row", textContent: name }),
    ...measured,
    cost ? cell("cost", `$${cost.usd.toFixed(2)} ${cost.kind}`, `From ${cost.from}`) : cell("cost"),
    published ? cell("published", `${published.mean_ms}`, `${published.as}, by ${published.by}`) : cell("published"),
  );
  made.dataset.architecture = name;
  return made;
}

/** The rows and pictures of a comparison, and how to show what there is so far. */
function results(architectures) {
  const table = byId("results");
  const rows = architectures.map(row);
  const pictures = architectures.map(({ name }) => {
    const figure = element("figure", {}, element("figcaption", { textContent: name }));
    figure.dataset.architecture = name;
    figure.append(histogram(name, new Latencies(), axis([])));
    return figure;
  });
  table.tBodies[0].replaceChildren(...rows);
  table.hidden = false;
  byId("histograms").replaceChildren(...pictures);
  byId("notes").textContent = notes(architectures);
  return (latencies) => {
    const shared = axis(latencies);
    latencies.forEach((one, at) => {
      const fill = (key, text) => (rows[at].querySelector(`[data-column="${key}"]`).textContent = text);
      fill("calls", one.sorted.length + one.failures);
      fill("failures", one.failures);
      rows[at].querySelector('[data-column="failures"]').className = one.failures ? "failed" : "";
      fill("first", one.first);
      fill("mean", ms(one.mean));
      fill("p50", ms(one.percentile(0.5)));
      fill("p99", ms(one.percentile(0.99)));
      pictures[at].lastChild.replaceWith(histogram(architectures[at].name, one, shared));
    });
  };
}

/** Where the figures come from that were not measured here. */
function notes(architectures) {
  const about = [];
  const costs = new Set(architectures.flatMap(({ usd_per_million: cost }) => (cost ? [cost.from] : [])));
  if (costs.size) about.push(`Cost: from ${[...costs].join(", ")}.`);
  const published = architectures.filter((it) => it.published);
  if (published.length) {
    const each = published.map((it) => `${it.name}: ${it.published.as}, by ${it.published.by}`);
    about.push(`Published by others, on another machine and in another year: ${each.join("; ")}.`);
  }
  about.push(
    `Mean and percentiles are of the answered calls. The clock of this page has steps of ${
      globalThis.crossOriginIsolated ? "5 µs" : "100 µs or more"
    }.`,
  );
  return about.join(" ");
}

/** Calls each in turn until all are called so often, or somebody stops it: why it ended. */
async function compare(architectures, calls, stopped) {
  const latencies = architectures.map(() => new Latencies());
  const show = results(architectures);
  let shown = 0;
  let unreachable = 0;
  const one = async (at, record, failed) => {
    try {
      const { ok, took } = await call(architectures[at].url, stopped);
      unreachable = 0;
      if (ok) record(took);
      else failed();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      failed();
      unreachable += 1;
      if (unreachable === UNREACHABLE_IN_A_ROW) throw error;
    }
  };
  try {
    // The first opens a connection and may start an environment: it is no call like the others.
    for (const at of architectures.keys()) {
      const first = (text) => (latencies[at].first = text);
      await one(at, (took) => first(ms(took)), () => first("failed"));
    }
    let announced = 0;
    for (let turn = 1; turn <= calls; turn += 1) {
      for (const at of architectures.keys()) {
        await one(at, (took) => latencies[at].add(took), () => (latencies[at].failures += 1));
      }
      // Drawing takes time that the next call must not pay for: a few times a second is live enough.
      if (performance.now() - shown > 250) {
        show(latencies);
        await new Promise((drawn) => setTimeout(drawn));
        shown = performance.now();
      }
      const quarters = Math.floor((4 * turn) / calls);
      if (quarters > announced && quarters < 4) {
        announced = quarters;
        byId("progress").textContent = `${quarters * 25} % of ${calls} calls to each`;
      }
    }
    say("");
    return `Done: ${calls} calls to each of ${architectures.length}`;
  } catch (error) {
    if (error instanceof Unreachable) {
      say(error.message);
      return "Ended early: the API can't be reached";
    }
    if (stopped.aborted) return "Stopped";
    throw error;
  } finally {
    show(latencies);
  }
}

function comparison(architectures) {
  const run = byId("run");
  let running;
  byId("compare").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) {
      running.abort();
      return;
    }
    running = new AbortController();
    // The same button, so that the focus stays where it is.
    run.textContent = "Stop";
    // Whatever stands in the field by then.
    run.formNoValidate = true;
    byId("progress").textContent = "Calling";
    try {
      const calls = byId("calls").valueAsNumber;
      byId("progress").textContent = await compare(architectures, calls, running.signal);
    } finally {
      running = undefined;
      run.textContent = "Compare";
      run.formNoValidate = false;
    }
  });
  run.disabled = false;
}

// What there is

async function load() {
  try {
    const { ok, status, text } = await call(new URL("architectures.json", import.meta.url));
    if (!ok) throw new Unreachable(`The API does not say what it has: status ${status}.`);
    const { architectures } = JSON.parse(text);
    byId("counters").replaceChildren(...architectures.filter((it) => it.counts).map(counter));
    comparison(architectures);
    say("");
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    say(error.message);
    setTimeout(load, LOAD_AGAIN_MS);
  }
}

await load();
