// Writes licences.txt beside the bundle: every package that a build with these dependencies may hold.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = import.meta.dirname;
const PERMISSIVE = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Zlib"]);

/** "(A OR B)": one of them is enough. */
const permissive = (licence) => licence.replace(/[()]/g, "").split(" OR ").some((one) => PERMISSIVE.has(one));

/** Packages that end up in the bundle, as the bundler itself has listed them. */
const bundled = JSON.parse(readFileSync(join(ROOT, "node_modules/.bundled.json"), "utf8"));

function text(folder) {
  const name = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  return name ? readFileSync(join(folder, name), "utf8").trim() : "(no licence file; the licence is named above)";
}

const parts = bundled.map((name) => {
  const folder = join(ROOT, "node_modules", name);
  const told = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const licence = typeof told.license === "string" ? told.license : (told.license?.type ?? "unknown");
  if (!permissive(licence)) throw new Error(`${name}: licence ${licence} is not one of the permissive ones`);
  return `${name} ${told.version}\nLicence: ${licence}\n\n${text(folder)}\n`;
});
const rule = `\n${"-".repeat(80)}\n\n`;
const head = "Packages that the pages of ichscan contain. ichscan itself: Apache-2.0.\n";
const out = process.env["ICHSCAN_STATIC"] ?? join(ROOT, "../src/ichscan/service/static");
writeFileSync(join(out, "licences.txt"), [head, ...parts].join(rule));
