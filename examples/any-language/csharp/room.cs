// A hub without a framework: `dotnet run`, .NET 8 or newer. Settings: PORT, AzureSignalRConnectionString.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.Tasks;

/// An error whose text the client may see.
class Refusal : Exception {
    public Refusal(string text) : base(text) { }
}

static class Room {
    const string Hub = "room";
    static readonly HashSet<string> Moderators = new HashSet<string> { "ada" };
    static readonly Dictionary<string, string> Setting = ReadSettings();
    static readonly string Service =
        Setting["endpoint"].TrimEnd('/') + (Setting.ContainsKey("port") ? ":" + Setting["port"] : "");
    static readonly HttpClient Http = new HttpClient();

    static Dictionary<string, string> ReadSettings() {
        var parts = Environment.GetEnvironmentVariable("AzureSignalRConnectionString").Split(';');
        var pairs = parts.Where(part => part.Contains("=")).Select(part => part.Split(new[] { '=' }, 2)); // the key may contain `=`
        return pairs.ToDictionary(pair => pair[0].Trim().ToLowerInvariant(), pair => pair[1].Trim());
    }

    static byte[] Sign(string text) {
        using (var hmac = new HMACSHA256(Encoding.UTF8.GetBytes(Setting["accesskey"])))
            return hmac.ComputeHash(Encoding.UTF8.GetBytes(text));
    }

    static string Part(byte[] data) => Convert.ToBase64String(data).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    /// A JSON Web Token for the service, signed with the access key.
    static string Token(string audience, Dictionary<string, object> claims) {
        claims["aud"] = audience;
        claims["exp"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 3600;
        var header = Encoding.UTF8.GetBytes("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
        var unsigned = Part(header) + "." + Part(JsonSerializer.SerializeToUtf8Bytes(claims));
        return unsigned + "." + Part(Sign(unsigned));
    }

    /// A name in a path. HttpClient removes the segments `.` and `..`, even if they are encoded.
    static string Segment(string name) {
        if (name == "" || name == "." || name == "..") throw new Refusal("this name cannot be used");
        return Uri.EscapeDataString(name);
    }

    static async Task Rest(string method, string path, object body = null) {
        var url = Service + "/api/hubs/" + Hub + "/" + path;
        var request = new HttpRequestMessage(new HttpMethod(method), url + "?api-version=2022-06-01");
        request.Headers.Add("Authorization", "Bearer " + Token(url, new Dictionary<string, object>()));
        if (body != null) request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using (var response = await Http.SendAsync(request)) response.EnsureSuccessStatusCode();
    }

    static Task Send(string to, string target, params string[] arguments) =>
        Rest("POST", to + "/:send", new { target, arguments });

    /// Calls a method for a client.
    static async Task<object> Call(string user, string target, JsonElement[] arguments) {
        switch (target + arguments.Length) {
            case "echo1": return arguments[0];
            case "say1": await Send("groups/lobby", "said", user, arguments[0].GetString()); return null;
            case "whisper2":
                await Send("users/" + Segment(arguments[0].GetString()), "said", user, arguments[1].GetString());
                return null;
            case "announce1":
                // A role comes from the app's own data, never from X-ASRS-User-Claims.
                if (!Moderators.Contains(user)) throw new Refusal("only moderators may announce");
                await Send("groups/lobby", "announced", arguments[0].GetString());
                return null;
            default: throw new Refusal("there is no method " + target);
        }
    }

    /// The value of a header, which HttpListener reads as Latin-1. (ASP.NET Core reads UTF-8.)
    static string Header(HttpListenerRequest request, string name) =>
        Encoding.UTF8.GetString(Encoding.GetEncoding("iso-8859-1").GetBytes(request.Headers[name] ?? ""));

    /// Whether the call comes from the service: one entry per access key of the service must match.
    static bool IsGenuine(HttpListenerRequest request) {
        var hex = BitConverter.ToString(Sign(Header(request, "X-ASRS-Connection-Id"))).Replace("-", "");
        var expected = Encoding.UTF8.GetBytes("SHA256=" + hex);
        var signatures = Header(request, "X-ASRS-Signature").ToUpperInvariant().Split(',');
        return signatures.Any(text => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(text.Trim()), expected));
    }

    static async Task<(int, string)> Upstream(HttpListenerRequest request) {
        if (!IsGenuine(request)) return (401, "");
        if (Header(request, "X-ASRS-Hub") != Hub) return (404, "");
        if (Header(request, "Content-Type") != "application/json") return (415, ""); // a MessagePack client
        if (Header(request, "X-ASRS-Category") == "connections") {
            if (Header(request, "X-ASRS-Event") == "connected")
                await Rest("PUT", "groups/lobby/connections/" + Segment(Header(request, "X-ASRS-Connection-Id")));
            return (200, "");
        }
        var body = (await JsonDocument.ParseAsync(request.InputStream)).RootElement;
        JsonElement id;
        var isInvoke = body.TryGetProperty("invocationId", out id);
        var completion = new Dictionary<string, object> { ["type"] = 3, ["invocationId"] = id };
        try {
            var arguments = body.GetProperty("arguments").EnumerateArray().ToArray();
            completion["result"] = await Call(Header(request, "X-ASRS-User-Id"), body.GetProperty("target").GetString(), arguments);
        } catch (Refusal refusal) {
            completion["error"] = refusal.Message; // never empty: clients read an empty error as success
        } catch (Exception error) {
            Console.Error.WriteLine(error);
            completion["error"] = "the method failed";
        }
        // `send` has no invocation id and gets no completion. A completion ends with the byte 0x1E.
        return (200, isInvoke ? JsonSerializer.Serialize(completion) + "\u001e" : "");
    }

    static (int, string) Negotiate(HttpListenerRequest request) {
        var user = request.QueryString["user"]; // a real app checks a session or a token here
        if (string.IsNullOrEmpty(user)) return (401, "");
        var url = Service + "/client/?hub=" + Hub;
        var accessToken = Token(url, new Dictionary<string, object> { ["nameid"] = user });
        return (200, JsonSerializer.Serialize(new { url, accessToken }));
    }

    static async Task Answer(HttpListenerContext context) {
        var (status, body) = (500, "");
        try {
            switch (context.Request.HttpMethod + " " + context.Request.Url.AbsolutePath) {
                case "POST /" + Hub + "/negotiate": (status, body) = Negotiate(context.Request); break;
                case "POST /runtime/webhooks/signalr": (status, body) = await Upstream(context.Request); break;
                default: status = 404; break;
            }
        } catch (Exception error) {
            Console.Error.WriteLine(error);
        }
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.Close(Encoding.UTF8.GetBytes(body), false);
    }

    static void Main() {
        var port = Environment.GetEnvironmentVariable("PORT") ?? "7071";
        var listener = new HttpListener();
        listener.Prefixes.Add("http://127.0.0.1:" + port + "/");
        listener.Prefixes.Add("http://localhost:" + port + "/");
        listener.Start();
        Console.WriteLine("listening on " + port);
        while (true) {
            var context = listener.GetContext();
            _ = Task.Run(() => Answer(context));
        }
    }
}
