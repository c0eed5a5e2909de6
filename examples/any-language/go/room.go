// A hub without a framework: `go run room.go`. Settings: PORT, AzureSignalRConnectionString.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const hub = "room"

var (
	setting    = map[string]string{}
	service    string
	moderators = map[string]bool{"ada": true}
)

// A refusal is an error whose text the client may see.
type refusal string

func (text refusal) Error() string { return string(text) }

func sign(text string) []byte {
	mac := hmac.New(sha256.New, []byte(setting["accesskey"]))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// A JSON Web Token for the service, signed with the access key.
func token(audience string, claims map[string]any) string {
	claims["aud"], claims["exp"] = audience, time.Now().Unix()+3600
	payload, _ := json.Marshal(claims)
	part := base64.RawURLEncoding.EncodeToString
	unsigned := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part(payload)
	return unsigned + "." + part(sign(unsigned))
}

// A name in a path. HTTP servers and libraries remove the segments `.` and `..`, even if they are encoded.
func segment(name string) (string, error) {
	if name == "" || name == "." || name == ".." {
		return "", refusal("this name cannot be used")
	}
	return url.PathEscape(name), nil
}

func rest(method, path string, body any) error {
	data, _ := json.Marshal(body)
	address := fmt.Sprintf("%s/api/hubs/%s/%s", service, hub, path)
	request, err := http.NewRequest(method, address+"?api-version=2022-06-01", bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token(address, map[string]any{}))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("the service answers %s", response.Status)
	}
	return nil
}

func send(to, target string, arguments ...string) error {
	return rest("POST", to+"/:send", map[string]any{"target": target, "arguments": arguments})
}

// Calls a method for a client.
func call(user, target string, arguments []json.RawMessage) (json.RawMessage, error) {
	var text, to string
	var unread error
	switch target + fmt.Sprint(len(arguments)) {
	case "echo1":
		return arguments[0], nil
	case "say1", "announce1":
		unread = json.Unmarshal(arguments[0], &text)
	case "whisper2":
		if unread = json.Unmarshal(arguments[0], &to); unread == nil {
			unread = json.Unmarshal(arguments[1], &text)
		}
	default:
		return nil, refusal("there is no method " + target)
	}
	switch {
	case unread != nil:
		return nil, refusal("the arguments must be texts")
	case target == "say":
		return nil, send("groups/lobby", "said", user, text)
	case target == "whisper":
		to, err := segment(to)
		if err != nil {
			return nil, err
		}
		return nil, send("users/"+to, "said", user, text)
	case !moderators[user]: // a role comes from the app's own data, never from X-ASRS-User-Claims
		return nil, refusal("only moderators may announce")
	}
	return nil, send("groups/lobby", "announced", text)
}

// Whether the call comes from the service: one entry per access key of the service must match.
func isGenuine(headers http.Header) bool {
	expected, genuine := sign(headers.Get("X-ASRS-Connection-Id")), false
	for _, text := range strings.Split(strings.ToLower(headers.Get("X-ASRS-Signature")), ",") {
		signature, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "sha256="))
		genuine = genuine || err == nil && hmac.Equal(signature, expected)
	}
	return genuine
}

func upstream(request *http.Request) (int, []byte) {
	headers, body := request.Header, struct {
		Target, InvocationID string
		Arguments            []json.RawMessage
	}{}
	switch {
	case !isGenuine(headers):
		return 401, nil
	case headers.Get("X-ASRS-Hub") != hub:
		return 404, nil
	case headers.Get("Content-Type") != "application/json":
		return 415, nil // a MessagePack client
	case headers.Get("X-ASRS-Event") == "connected" && headers.Get("X-ASRS-Category") == "connections":
		id, err := segment(headers.Get("X-ASRS-Connection-Id"))
		if err == nil {
			err = rest("PUT", "groups/lobby/connections/"+id, nil)
		}
		if err != nil {
			log.Print(err)
			return 500, nil
		}
		return 200, nil
	case headers.Get("X-ASRS-Category") == "connections":
		return 200, nil
	}
	if err := json.NewDecoder(io.LimitReader(request.Body, 1<<21)).Decode(&body); err != nil {
		return 400, nil
	}
	result, err := call(headers.Get("X-ASRS-User-Id"), body.Target, body.Arguments)
	completion := map[string]any{"type": 3, "invocationId": body.InvocationID}
	var refused refusal
	switch {
	case errors.As(err, &refused):
		completion["error"] = string(refused) // never empty: clients read an empty error as success
	case err != nil:
		log.Print(err)
		completion["error"] = "the method failed"
	default:
		completion["result"] = result
	}
	if body.InvocationID == "" { // `send` gets no completion
		return 200, nil
	}
	answer, _ := json.Marshal(completion)
	return 200, append(answer, 0x1E) // a completion ends with this byte
}

func negotiate(request *http.Request) (int, []byte) {
	user := request.URL.Query().Get("user") // a real app checks a session or a token here
	if user == "" {
		return 401, nil
	}
	client := service + "/client/?hub=" + hub
	accessToken := token(client, map[string]any{"nameid": user})
	answer, _ := json.Marshal(map[string]string{"url": client, "accessToken": accessToken})
	return 200, answer
}

func main() {
	for _, part := range strings.Split(os.Getenv("AzureSignalRConnectionString"), ";") {
		name, value, _ := strings.Cut(part, "=") // the key itself may contain `=`
		setting[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	service = strings.TrimSuffix(setting["endpoint"], "/")
	if setting["port"] != "" {
		service += ":" + setting["port"]
	}
	routes := map[string]func(*http.Request) (int, []byte){
		"/" + hub + "/negotiate": negotiate, "/runtime/webhooks/signalr": upstream,
	}
	for path, route := range routes {
		route := route
		http.HandleFunc(path, func(writer http.ResponseWriter, request *http.Request) {
			status, answer := route(request)
			writer.Header().Set("Content-Type", "application/json")
			writer.WriteHeader(status)
			writer.Write(answer)
		})
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "7071"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", port)
	log.Fatal(http.Serve(listener, nil))
}
