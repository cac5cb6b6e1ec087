import { writeFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const BY_NAME = ["svgNode.setAttribute(key, newValue);",
  "if (key === 'style') svgNode.style.cssText = newValue; else svgNode.setAttribute(key, newValue);"] as const;
const STYLED: Record<string, readonly [string, string]> = {
  "drawTextBox.js": ["textElement.setAttribute('style', combinedStyle);", "textElement.style.cssText = combinedStyle;"],
  "setAttributesIfNecessary.js": BY_NAME,
  "setNewAttributesIfValid.js": BY_NAME,
};

/**
 * Cornerstone writes style attributes, which the content security policy (style-src 'self') forbids; the same
 * declarations set through the CSSOM are allowed.
 */
function withoutStyleAttributes(): Plugin {
  return {
    name: "without-style-attributes",
    transform(code, id) {
      const [folder, name = ""] = id.split("/").slice(-2);
      const change = folder === "drawingSvg" ? STYLED[name] : undefined;
      if (!change) return null;
      if (!code.includes(change[0])) throw new Error(`${name} has changed: look for style attributes again`);
      return { code: code.replace(change[0], change[1]), map: null };
    },
  };
}

/** Tells licences.mjs which packages are in the bundle. */
function bundledPackages(): Plugin {
  return {
    name: "bundled-packages",
    generateBundle(_, bundle) {
      const found = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const id of Object.keys(chunk.modules)) {
          const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(id)?.[1];
          if (name) found.add(name);
        }
      }
      writeFileSync("node_modules/.bundled.json", JSON.stringify([...found].sort()));
    },
  };
}

export default defineConfig({
  plugins: [withoutStyleAttributes(), bundledPackages()],
  build: {
    outDir: process.env["ICHSCAN_STATIC"] ?? "../src/ichscan/service/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
