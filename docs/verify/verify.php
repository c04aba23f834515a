<?php
// Is this webhook from Quittance? PHP 7.4 or later; nothing to install.
//
// $headers is getallheaders(); $body is file_get_contents('php://input'), before anything parses it.
// Both functions answer true or false.

// Standard Webhooks. $secret is the endpoint's own and begins with whsec_.
function check_standard(string $secret, array $headers, string $body): bool
{
    $headers = array_change_key_case($headers, CASE_LOWER);
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    if (!is_recent($timestamp, 300)) {
        return false;
    }
    $key = base64_decode(substr($secret, strlen('whsec_')));
    $wanted = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // There are two while a secret is being replaced: one that fits is enough.
    foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
        if (hash_equals($wanted, $signature)) {
            return true;
        }
    }
    return false;
}

// CCPayment-compatible (V1). Answer 200 with the body: Success
function check_ccpayment(string $app_id, string $secret, array $headers, string $body): bool
{
    $headers = array_change_key_case($headers, CASE_LOWER);
    $timestamp = $headers['timestamp'] ?? '';
    if (($headers['appid'] ?? '') !== $app_id || !is_recent($timestamp, 120)) {
        return false;
    }
    return hash_equals(hash('sha256', $app_id . $secret . $timestamp . $body), $headers['sign'] ?? '');
}

// What is older, or from the future, may be somebody's replay.
function is_recent(string $timestamp, int $seconds): bool
{
    return preg_match('/^[0-9]{1,12}$/D', $timestamp) === 1 && abs(time() - (int) $timestamp) <= $seconds;
}
