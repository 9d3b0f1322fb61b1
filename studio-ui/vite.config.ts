import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The page is served by lianpu studio alone: nothing is fetched from anywhere else, and nothing is written inline.
export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "../src/lianpu/studio/static",
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    target: "es2022",
    rollupOptions: { output: { entryFileNames: "studio-[hash].js", assetFileNames: "studio-[hash][extname]" } },
  },
});
