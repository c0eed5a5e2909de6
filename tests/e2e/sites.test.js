// One scenario with the service in the process of the app, in a second process, and as the `hub-local`
// command; each over every transport and protocol.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HttpTransportType, JsonHubProtocol } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { cleanUp, connect, refusal, until } from "./lib.js";
import { command, embedded, twoProcesses } from "./sites.js";

const ways = [
  ["WebSockets", JsonHubProtocol],
  ["WebSockets", MessagePackHubProtocol],
  ["ServerSentEvents", JsonHubProtocol],
  ["LongPolling", JsonHubProtocol],
  ["LongPolling", MessagePackHubProtocol],
];

for (const [name, begin] of Object.entries({ embedded, "over HTTP": twoProcesses, "through the command": command })) {
  describe(`the same scenario ${name}`, () => {
    let site;

    before(async () => {
      site = await begin();
    });

    after(cleanUp);

    for (const [transport, Protocol] of ways) {
      const protocol = new Protocol().name;
      test(`${transport}, ${protocol}`, async () => {
        const open = (user, on = {}) =>
          connect(`${site.url}?user=${encodeURIComponent(user)}`, {
            listen: ["number", "left"],
            on,
            options: { transport: HttpTransportType[transport] },
            protocol: new Protocol(),
          });
        const ada = await open("ada");
        const zoe = await open("Zoë", {
          question: (text) => {
            if (text === "impossible") {
              throw new Error("I do not know");
            }
            return `${text} yes`;
          },
        });
        const [adasId, zoesId] = [await ada.invoke("identity"), await zoe.invoke("identity")];

        // Connect: user, transport and protocol.
        assert.equal(zoe.connectionId, zoesId);
        assert.equal(await zoe.invoke("whoAmI"), "Zoë");
        await site.service.logged(
          new RegExp(`connected connection="${zoesId}".*transport="${transport}" protocol="${protocol}"`),
        );

        // Invoke and send.
        assert.equal(await ada.invoke("echo", 4_000_000_000), 4_000_000_000);
        await ada.send("giveBack", 1);
        await until("it comes back", () => ada.got("number").length === 1);

        // Groups and users: members only.
        await zoe.invoke("join", "größe");
        await ada.invoke("numberToGroup", "größe", 2);
        await until("the group receives it", () => zoe.got("number").length === 1);
        await ada.invoke("numberToUser", "Zoë", 3);
        await until("the user receives it", () => zoe.got("number").length === 2);
        assert.deepEqual(zoe.got("number"), [[2], [3]]);
        assert.deepEqual(ada.got("number"), [[1]]);

        // A client result, and one that fails.
        assert.equal(await ada.invoke("ask", zoesId, "really?"), "really? yes");
        assert.match(await refusal(ada.invoke("ask", zoesId, "impossible")), /I do not know/);

        // Errors: the text for the client, and the cause in the log.
        assert.match(await refusal(ada.invoke("echo", "x")), /argument 1 \(`number`\): invalid type: string "x"/);
        assert.match(await refusal(ada.invoke("unknown")), /Unknown hub method 'unknown'/);
        const failure = await refusal(ada.invoke("fail"));
        assert.match(failure, /error id/);
        assert.doesNotMatch(failure, /password/);
        await site.app.logged(/the database password is wrong/);

        // Disconnect: the app is notified, and later messages to the client are discarded.
        await ada.invoke("join", "observers");
        await zoe.stop();
        await until("the app knows", () => ada.got("left").length > 0);
        assert.deepEqual(ada.got("left"), [[zoesId]]);
        await ada.invoke("numberToUser", "Zoë", 4);
        assert.notEqual(await refusal(ada.invoke("ask", zoesId, "still there?")), "");
        assert.equal(await ada.invoke("identity"), adasId);
        await ada.stop();
      });
    }
  });
}
