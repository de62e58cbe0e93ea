import Hummingbird
import NGSI

extension IdentityPages {
  func account(_ request: Incoming, _ open: OpenSession, problem: String?, _ provider: IdentityProvider) -> Response {
    var frame = PageFrame(template: "account", title: "accountTitle")
    let person = open.person
    frame.content = [
      "csrf": open.csrf, "personName": person.name, "username": person.username,
      "hasCode": person.oneTimeCode?.isConfirmed ?? false,
      "passkeys": person.passkeys.map { ["id": $0.id, "name": $0.name] }, "hasPasskeys": !person.passkeys.isEmpty,
    ]
    if !person.standing.roles.isEmpty { frame.content["roles"] = person.standing.roles.joined(separator: ", ") }
    frame.content["agency"] = person.standing.agency
    frame.problem = problem
    frame.status = problem == nil ? .ok : .badRequest
    return answer(frame, request, provider)
  }

  /// The page of who logged in at an outside provider: nothing of his login is kept here.
  func account(_ request: Incoming, _ open: OutsideSession, _ provider: IdentityProvider) -> Response {
    var frame = PageFrame(template: "outside", title: "accountTitle")
    let name = provider.outside[open.person.issuer]?.login?.name[Self.language(of: request)]
    frame.content = ["personName": open.person.name, "providerName": name ?? open.person.issuer]
    let standing = open.authenticated.standing
    if !standing.roles.isEmpty { frame.content["roles"] = standing.roles.joined(separator: ", ") }
    frame.content["agency"] = standing.agency
    return answer(frame, request, provider)
  }

  /// The key of an authenticator application, once, and the field for its first code.
  func oneTimeCode(
    _ request: Incoming, _ open: OpenSession, secret: [UInt8], problem: String?, _ provider: IdentityProvider
  ) -> Response {
    let text = OneTimeCode.base32(secret)
    let site = provider.settings.siteName["en"] ?? "Madang"
    var frame = PageFrame(template: "otp", title: "otpTitle")
    var groups: [Substring] = []
    var rest = text[...]
    while !rest.isEmpty {
      groups.append(rest.prefix(4))
      rest = rest.dropFirst(4)
    }
    frame.content = [
      "csrf": open.csrf, "secret": groups.joined(separator: " "),
      // The form that authenticator applications open (Key URI Format of Google Authenticator).
      "address": "otpauth://totp/\(Form.percent(site)):\(Form.percent(open.person.username))?secret=\(text)"
        + "&issuer=\(Form.percent(site))",
    ]
    frame.problem = problem
    frame.status = problem == nil ? .ok : .badRequest
    return answer(frame, request, provider)
  }

  func device(
    _ request: Incoming, _ open: OpenSession, code: String, problem: String?, retryAfter: Int? = nil,
    _ provider: IdentityProvider
  ) -> Response {
    var frame = PageFrame(template: "device", title: "deviceTitle")
    frame.content = ["csrf": open.csrf, "code": String(code.prefix(16)), "isQuestion": false]
    frame.problem = problem
    frame.retryAfter = retryAfter
    frame.status = problem == nil ? .ok : problem == "tooManyAttempts" ? .tooManyRequests : .badRequest
    return answer(frame, request, provider)
  }

  func deviceQuestion(
    _ request: Incoming, _ open: OpenSession, code: String, _ client: Client, _ grant: DeviceGrant,
    _ provider: IdentityProvider
  ) -> Response {
    var frame = PageFrame(template: "device", title: "deviceTitle")
    frame.content = [
      "csrf": open.csrf, "code": UserCode.shown(code), "isQuestion": true, "clientName": client.name,
      "personName": open.person.name, "scopes": scopeTexts(grant.scopes, request),
    ]
    return answer(frame, request, provider)
  }

  func deviceDone(_ request: Incoming, isAllowed: Bool, _ provider: IdentityProvider) -> Response {
    var frame = PageFrame(template: "done", title: "deviceTitle")
    frame.content = ["isAllowed": isAllowed]
    return answer(frame, request, provider)
  }
}
