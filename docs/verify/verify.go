// Package verify answers: is this webhook from Quittance? Go 1.18 or later; nothing to install.
//
// headers is request.Header; body is io.ReadAll(request.Body), before anything parses it.
package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CheckStandard is for Standard Webhooks. secret is the endpoint's own and begins with whsec_.
func CheckStandard(secret string, headers http.Header, body []byte) bool {
	id, timestamp := headers.Get("webhook-id"), headers.Get("webhook-timestamp")
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || !isRecent(timestamp, 300) {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	wanted := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	// There are two while a secret is being replaced: one that fits is enough.
	for _, signature := range strings.Fields(headers.Get("webhook-signature")) {
		if hmac.Equal([]byte(wanted), []byte(signature)) {
			return true
		}
	}
	return false
}

// CheckCCPayment is for the CCPayment-compatible format (V1). Answer 200 with the body: Success
func CheckCCPayment(appID, secret string, headers http.Header, body []byte) bool {
	timestamp := headers.Get("Timestamp")
	if headers.Get("Appid") != appID || !isRecent(timestamp, 120) {
		return false
	}
	sum := sha256.Sum256(append([]byte(appID+secret+timestamp), body...))
	return hmac.Equal([]byte(hex.EncodeToString(sum[:])), []byte(headers.Get("Sign")))
}

// isRecent: what is older, or from the future, may be somebody's replay.
func isRecent(timestamp string, seconds int64) bool {
	then, err := strconv.ParseInt(timestamp, 10, 64)
	age := time.Now().Unix() - then
	return err == nil && age <= seconds && age >= -seconds
}
