// Drives the pages of `dlgforge view`: node browser.mjs ADDRESS CHROMIUM FOLDER_OF_PLAYWRIGHT [FOLDER_FOR_PICTURES]

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const [address, name, playwright, pictures] = process.argv.slice(2);
const { chromium } = createRequire(`${playwright}/package.json`)("playwright-core");
const executablePath = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const troubles = [];

async function open(colorScheme, width) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && troubles.push(`${message.text()} ${message.location().url}`));
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("dialog", (dialog) => { troubles.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(new URL(address).origin)) troubles.push(`asked for ${request.url()}`); });
  await page.goto(address);
  await page.waitForSelector(".item");
  return page;
}

const go = (page, hash) => page.evaluate((to) => { location.hash = to; }, hash);

try {
  // What is done with keys and filters.
  const page = await open("light", 1280);
  assert.equal(new URL(page.url()).search, "", "the token does not stay in the address");
  await page.waitForFunction(() => document.querySelectorAll(".item").length === 12);
  await page.selectOption("select[name=language]", "ar");
  await page.waitForFunction(() => document.querySelectorAll(".item").length === 4);
  await page.keyboard.press("Escape");
  await page.locator("body").click({ position: { x: 5, y: 5 } });
  await page.keyboard.press("/");
  await page.keyboard.type("النحل");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.includes("q="));
  await page.waitForSelector(".item");
  const filters = () => page.evaluate(() => {
    const parameters = new URLSearchParams(location.hash.split("?")[1]);
    return [parameters.get("language"), parameters.get("q")];
  });
  const found = await page.locator(".item").count();
  assert.ok(found >= 1 && found <= 4, `${found} found`);
  await page.locator("body").click({ position: { x: 5, y: 5 } });
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".turn");
  await page.waitForSelector(".steps a");
  const said = page.locator(".message.assistant .text").first();
  assert.equal(await said.evaluate((text) => getComputedStyle(text).direction), "rtl");
  const [start, end] = await said.evaluate((text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    const last = [...range.getClientRects()].at(-1);
    return [last.left - text.getBoundingClientRect().left, text.getBoundingClientRect().right - last.right];
  });
  assert.ok(end < start, "lines begin on the right");
  assert.ok(await page.locator(".passages mark").count() > 0, "what is cited is marked");
  assert.ok(await page.locator(".judge").count() === 2, "a verdict a turn");
  await page.keyboard.press("n");
  await page.waitForSelector(".choice[aria-pressed=true]:text-is('reject')");
  await page.fill(".labels textarea", "ملاحظة");
  await page.locator(".labels textarea").blur();
  await page.waitForFunction(() => document.querySelector(".labels [role=status]").textContent.includes("labels.jsonl"));
  await page.keyboard.press("y");
  await page.waitForSelector(".choice[aria-pressed=true]:text-is('keep')");
  const first = await page.locator("h1 .id").textContent();
  if (found > 1) {
    await page.keyboard.press("j");
    await page.waitForFunction((id) => document.querySelector("h1 .id").textContent !== id, first);
    await page.waitForSelector(".steps a");
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction((id) => document.querySelector("h1 .id").textContent === id, first);
    await page.waitForSelector(".steps a");
  }
  await page.locator("summary", { hasText: "in the journal" }).first().click();
  await page.locator("summary", { hasText: "raw JSON" }).click();
  assert.ok((await page.locator(".end pre").last().textContent()).includes("النحل"));
  await page.keyboard.press("u");
  await page.waitForSelector(".item.selected");
  assert.deepEqual(await filters(), ["ar", "النحل"], "the list as it was");
  assert.equal(await page.locator(".item .tag.good").count(), 1, "the label is in the list");

  await go(page, "#/browse?folder=1");
  await page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
  assert.ok((await page.locator(".opening").textContent()).startsWith("<script>window.hacked = 1</script></textarea><img"));
  await page.locator(".item").click();
  await page.waitForSelector(".turn");
  assert.equal(await page.locator(".message .control").first().textContent(), "U+202E");
  assert.equal(await page.locator(".message.assistant .text").textContent(), "<b>bold</b> javascript:alert(1)");
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await page.context().close();

  // What a model was asked, how its endpoint is, and the pages of help.
  const asked = await open("light", 1280);
  await go(asked, "#/conversation?folder=2&id=q-0000");
  await asked.waitForSelector(".turn");
  await asked.locator("summary", { hasText: "in the journal" }).first().click();
  await asked.locator("summary", { hasText: "ask · attempt 1" }).first().click();
  await asked.locator(".prompt > summary").first().click();
  assert.deepEqual((await asked.locator(".prompt").first().locator(".asked h3").allTextContents()).slice(0, 2), ["system", "user"]);
  assert.ok(await asked.locator(".prompt").first().locator(".asked .text").first().isVisible());
  await go(asked, "#/overview?folder=2");
  await asked.waitForSelector(".endpoints tbody tr");
  assert.match(await asked.locator(".endpoints tbody tr").first().textContent(), /127\.0\.0\.1.*up/u);
  await asked.locator("nav a", { hasText: "Help" }).click();
  await asked.waitForSelector(".help article h1");
  await asked.locator(".help nav a", { hasText: "Limits" }).click();
  await asked.waitForFunction(() => location.hash.includes("topic=limits") && document.querySelector(".help [aria-current]").textContent.startsWith("Limits"));
  await asked.context().close();

  // Each page in both colour schemes and at two widths.
  const grounds = new Set();
  for (const [scheme, width] of [["light", 1280], ["dark", 1280], ["light", 390], ["dark", 390]]) {
    const each = await open(scheme, width);
    for (const [what, hash, ready] of [
      ["browse", "#/browse", ".item"],
      ["conversation", "#/conversation?id=r-ar-0001&language=ar", ".turn"],
      ["hostile", "#/conversation?folder=1&id=h-en-0000", ".turn"],
      ["overview", "#/overview", ".chart rect"],
      ["endpoints", "#/overview?folder=2", ".endpoints tr"],
      ["help", "#/help?topic=outputs", ".help article h1"],
      ["compare", "#/compare?a=0:r&b=1:h", ".compare .item"],
      ["pair", "#/compare?a=0:r&b=1:h&left=r-en-0000&right=h-en-0000", ".sides .message"],
    ]) {
      await go(each, hash);
      await each.waitForSelector(ready);
      await each.waitForTimeout(300);
      const over = await each.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${what} is ${over} px too wide at ${width}`);
      if (pictures) await each.screenshot({ path: `${pictures}/${what}-${scheme}-${width}.png` });
    }
    grounds.add(await each.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await each.context().close();
  }
  assert.equal(grounds.size, 2, "two colour schemes");
  assert.deepEqual(troubles, []);
} finally {
  await browser.close();
}
