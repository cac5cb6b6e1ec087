import { writeFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/**
 * Cornerstone writes a style attribute, which the content security policy (style-src 'self') forbids; the same
 * declarations set through the CSSOM are allowed.
 */
function withoutStyleAttributes(): Plugin {
  const wanted = "textElement.setAttribute('style', combinedStyle);";
  return {
    name: "without-style-attributes",
    transform(code, id) {
      if (!id.endsWith("/drawingSvg/drawTextBox.js")) return null;
      if (!code.includes(wanted)) throw new Error("drawTextBox.js has changed: look for style attributes again");
      return { code: code.replace(wanted, "textElement.style.cssText = combinedStyle;"), map: null };
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
    outDir: "../src/ichscan/service/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
