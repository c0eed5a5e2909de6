// A hub without a framework: `java -cp gson.jar Room.java`, JDK 17 or newer. Settings: PORT, AzureSignalRConnectionString.

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.Executors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

class Room {
    static final String HUB = "room";
    static final Set<String> MODERATORS = Set.of("ada");
    static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static final Map<String, String> SETTING = new HashMap<>();
    static String service;

    /** An error whose text the client may see. */
    static class Refusal extends Exception {
        Refusal(String text) { super(text); }
    }

    record Answer(int status, String body) {}

    static byte[] sign(String text) throws GeneralSecurityException {
        var mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(SETTING.get("accesskey").getBytes(UTF_8), "HmacSHA256"));
        return mac.doFinal(text.getBytes(UTF_8));
    }

    /** A JSON Web Token for the service, signed with the access key. */
    static String token(String audience, Map<String, Object> claims) throws GeneralSecurityException {
        var all = new HashMap<>(claims);
        all.put("aud", audience);
        all.put("exp", Instant.now().getEpochSecond() + 3600);
        var base64 = Base64.getUrlEncoder().withoutPadding();
        var header = base64.encodeToString("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(UTF_8));
        var unsigned = header + "." + base64.encodeToString(GSON.toJson(all).getBytes(UTF_8));
        return unsigned + "." + base64.encodeToString(sign(unsigned));
    }

    /** A name in a path. HTTP libraries remove the segments `.` and `..`, even if they are encoded. */
    static String segment(String name) throws Refusal {
        if (List.of("", ".", "..").contains(name)) throw new Refusal("this name cannot be used");
        return URLEncoder.encode(name, UTF_8).replace("+", "%20");
    }

    static void rest(String method, String path, Object body) throws Exception {
        var url = service + "/api/hubs/" + HUB + "/" + path;
        var request = HttpRequest.newBuilder(URI.create(url + "?api-version=2022-06-01"))
            .header("Authorization", "Bearer " + token(url, Map.of()))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(GSON.toJson(body)))
            .build();
        var response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() >= 300) throw new IOException("the service answers " + response.statusCode());
    }

    static void send(String to, String target, String... arguments) throws Exception {
        rest("POST", to + "/:send", Map.of("target", target, "arguments", arguments));
    }

    /** Calls a method for a client. */
    static JsonElement call(String user, String target, JsonArray arguments) throws Exception {
        switch (target + arguments.size()) {
            case "echo1" -> { return arguments.get(0); }
            case "say1" -> send("groups/lobby", "said", user, arguments.get(0).getAsString());
            case "whisper2" -> {
                var to = segment(arguments.get(0).getAsString());
                send("users/" + to, "said", user, arguments.get(1).getAsString());
            }
            case "announce1" -> {
                // A role comes from the app's own data, never from X-ASRS-User-Claims.
                if (!MODERATORS.contains(user)) throw new Refusal("only moderators may announce");
                send("groups/lobby", "announced", arguments.get(0).getAsString());
            }
            default -> throw new Refusal("there is no method " + target);
        }
        return null;
    }

    /** The value of a header, which Java reads as Latin-1. */
    static String header(HttpExchange exchange, String name) {
        var value = exchange.getRequestHeaders().getFirst(name);
        return value == null ? "" : new String(value.getBytes(ISO_8859_1), UTF_8);
    }

    /** Whether the call comes from the service: one entry per access key of the service must match. */
    static boolean isGenuine(HttpExchange exchange) throws GeneralSecurityException {
        var expected = sign(header(exchange, "X-ASRS-Connection-Id"));
        var genuine = false;
        for (var text : header(exchange, "X-ASRS-Signature").toLowerCase(Locale.ROOT).split(",")) {
            try {
                var signature = HexFormat.of().parseHex(text.strip().replaceFirst("^sha256=", ""));
                genuine |= MessageDigest.isEqual(signature, expected);
            } catch (IllegalArgumentException notHex) {
                // Another entry may match.
            }
        }
        return genuine;
    }

    static Answer upstream(HttpExchange exchange) throws Exception {
        if (!isGenuine(exchange)) return new Answer(401, "");
        if (!header(exchange, "X-ASRS-Hub").equals(HUB)) return new Answer(404, "");
        if (!header(exchange, "Content-Type").equals("application/json")) return new Answer(415, ""); // MessagePack
        if (header(exchange, "X-ASRS-Category").equals("connections")) {
            if (header(exchange, "X-ASRS-Event").equals("connected")) {
                rest("PUT", "groups/lobby/connections/" + segment(header(exchange, "X-ASRS-Connection-Id")), null);
            }
            return new Answer(200, "");
        }
        var text = new String(exchange.getRequestBody().readAllBytes(), UTF_8);
        var body = GSON.fromJson(text, JsonObject.class);
        var completion = new JsonObject();
        completion.addProperty("type", 3);
        completion.add("invocationId", body.get("invocationId"));
        try {
            var user = header(exchange, "X-ASRS-User-Id");
            completion.add("result", call(user, body.get("target").getAsString(), body.getAsJsonArray("arguments")));
        } catch (Refusal refusal) {
            completion.addProperty("error", refusal.getMessage()); // never empty: clients read that as success
        } catch (Exception error) {
            error.printStackTrace();
            completion.addProperty("error", "the method failed");
        }
        // `send` has no invocation id and gets no completion. A completion ends with the byte 0x1E.
        return new Answer(200, body.has("invocationId") ? GSON.toJson(completion) + "\u001e" : "");
    }

    static Answer negotiate(HttpExchange exchange) throws GeneralSecurityException {
        var query = Objects.requireNonNullElse(exchange.getRequestURI().getRawQuery(), "");
        for (var part : query.split("&")) { // a real app checks a session or a token here
            if (!part.startsWith("user=")) continue;
            var client = service + "/client/?hub=" + HUB;
            var token = token(client, Map.of("nameid", URLDecoder.decode(part.substring(5), UTF_8)));
            return new Answer(200, GSON.toJson(Map.of("url", client, "accessToken", token)));
        }
        return new Answer(401, "");
    }

    static void answer(HttpExchange exchange) throws IOException {
        Answer answer;
        try {
            answer = switch (exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath()) {
                case "POST /" + HUB + "/negotiate" -> negotiate(exchange);
                case "POST /runtime/webhooks/signalr" -> upstream(exchange);
                default -> new Answer(404, "");
            };
        } catch (Exception error) {
            error.printStackTrace();
            answer = new Answer(500, "");
        }
        var bytes = answer.body.getBytes(UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(answer.status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    public static void main(String[] none) throws Exception {
        for (var part : System.getenv("AzureSignalRConnectionString").split(";")) {
            var pair = part.split("=", 2); // the key itself may contain `=`
            if (pair.length == 2) SETTING.put(pair[0].strip().toLowerCase(Locale.ROOT), pair[1].strip());
        }
        var port = SETTING.containsKey("port") ? ":" + SETTING.get("port") : "";
        service = SETTING.get("endpoint").replaceFirst("/$", "") + port;
        var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv().getOrDefault("PORT", "7071")));
        var server = HttpServer.create(address, 0);
        server.createContext("/", Room::answer);
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        System.out.println("listening on " + address.getPort());
    }
}
