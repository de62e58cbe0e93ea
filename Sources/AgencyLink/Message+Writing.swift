import NGSI

extension Message {
  /// The request that carries this message, byte for byte as the far side expects it.
  ///
  /// `bodyLen` and the headers are made from the message; without a session's key the secret is empty.
  ///
  /// - Throws: ``MessageError`` for what its far side could not keep.
  public func request(_ format: WireRequest.Format, _ dialect: Dialect = .module, bounds: Bounds = Bounds())
    throws(MessageError) -> WireRequest
  {
    try check(bounds)
    var envelope = envelope
    let body = body.json(dialect)
    let text = if case .string(let sealed) = body { sealed } else { JSONWriter.text(body) }
    // The published module says Y of a plain body where encryption is configured; nobody could read a form of that.
    if case .sealed = self.body { envelope.isEncrypted = true } else { envelope.isEncrypted = false }
    envelope.bodyLength = envelope.bodyLength ?? (envelope.service == .authentication ? nil : "\(text.utf16.count)")
    let written = envelope.members(dialect)
    let json = JSONWriter.text(.object(JSONObject(of: written + [(dialect == .platform ? "Body" : "body", body)])))
    guard json.unicodeScalars.count <= bounds.sent else { throw MessageError("message", .tooLong(bounds.sent)) }
    var headers = [WireRequest.Header("Content-Type", format.rawValue)]
    let bytes: [UInt8]
    switch format {
    case .json:
      bytes = Array(json.utf8)
      headers += [
        .init("Accept", format.rawValue), .init(WireRequest.Name.service, envelope.service.rawValue),
        .init(WireRequest.Name.sender, envelope.sender), .init(WireRequest.Name.receiver, envelope.receiver ?? ""),
        .init(WireRequest.Name.system, envelope.system ?? ""),
        .init(WireRequest.Name.isEncrypted, envelope.isEncrypted ? "Y" : "N"),
        .init(WireRequest.Name.secret, envelope.session ?? ""), .init(WireRequest.Name.type, "sync"),
      ]
    case .form:
      // The callback is no field of the form.
      var fields = written.filter { $0.0 != "callBack" }.compactMap { name, value in
        value.map { FormCoding.Field(name: name, value: $0.string ?? JSONWriter.text($0)) }
      }
      fields.append(.init(name: "Body", value: text))
      bytes = FormCoding.write(fields)
      headers.append(.init("Accept", WireRequest.Format.json.rawValue))
    }
    return WireRequest(headers: headers, body: bytes)
  }

  /// A header or a column of the far side takes no more.
  private func check(_ bounds: Bounds) throws(MessageError) {
    func check(_ text: String?, _ field: String, _ most: Int) throws(MessageError) {
      guard let text else { return }
      try FieldReader.check(text, field, most: most)
    }
    // These go into headers, where a line break would begin another.
    for (text, field, most) in [
      (envelope.sender, "sendCd", bounds.code), (envelope.receiver, "rcvCd", bounds.code),
      (envelope.system, "sysCd", bounds.code), (envelope.session, "rrKey", bounds.key),
    ] {
      try check(text, field, most)
      if let text, text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) {
        throw MessageError(field, .controlCharacter)
      }
    }
    guard case .event(let body) = body else { return }
    try check(body.event, "body.evtId", bounds.event)
    try check(body.number, "body.ocrNbr", bounds.number)
    try check(body.statusText?.detail, "body.ocrEvtSts.ocrEvtStsDtl", bounds.detail)
    guard body.items.count <= bounds.items else { throw MessageError("body.ocrEvtItem", .tooMany(bounds.items)) }
  }
}

extension Message.Body {
  /// What is encrypted, or stands in the message as it is.
  func json(_ dialect: Message.Dialect) -> JSON {
    let tags: [(String, JSON?)] = [("startTag", "$DA"), ("endTag", "$DB"), ("finishTag", "$DF")]
    return switch self {
    case .authentication(let apiKey): .object(JSONObject(of: tags + [("apiKey", .string(apiKey))]))
    case .event(let body): .object(JSONObject(of: (dialect == .platform ? tags : []) + body.members(dialect)))
    case .sealed(let text): .string(text)
    }
  }
}

extension Envelope {
  fileprivate func members(_ dialect: Message.Dialect) -> [(String, JSON?)] {
    let hops: JSON? =
      switch dialect {
      case _ where hops.isEmpty: nil
      case .module: .array(hops.map { .object(JSONObject(of: [("tranSysHis", .string($0.value))])) })
      case .platform:
        // Names that came are kept; those of the module's dialect are all the same, and get numbers.
        .object(
          JSONObject(
            of: hops.enumerated().map { index, hop in
              (hop.name == Hop.plainName ? "\(hop.name)\(index + 1)" : hop.name, .string(hop.value))
            }))
      }
    let sequence: JSON? =
      part == nil && parts == nil
      ? nil : .object(JSONObject(of: [("apCurrent", part.map(JSON.string)), ("apTotal", parts.map(JSON.string))]))
    let callback = callback.map {
      JSON.object(JSONObject(of: [("useYn", $0.isUsed ? "Y" : "N"), ("targetUrl", .string($0.target))]))
    }
    return [
      ("svcTy", .string(service.rawValue)), ("hdCnt", headerCount.map(JSON.string)),
      ("dtCnt", dataCount.map(JSON.string)), ("apSeq", sequence), ("cmnMtd", method.map(JSON.string)),
      ("sendCd", .string(sender)), ("rcvCd", receiver.map(JSON.string)), ("encAt", isEncrypted ? "Y" : "N"),
      ("tranTy", transport.map(JSON.string)), ("rrKey", session.map(JSON.string)),
      ("reqDate", requestedAt.map { .string(WireTime.text($0)) }), ("bodyLen", bodyLength.map(JSON.string)),
      ("sysCd", system.map(JSON.string)), ("tranSysHis", hops), ("callBack", callback),
    ]
  }
}

extension EventBody {
  fileprivate func members(_ dialect: Message.Dialect) -> [(String, JSON?)] {
    func object(_ first: (String, String?), _ second: (String, String?), _ third: (String, String?) = ("", nil)) -> JSON
    {
      .object(JSONObject(of: [first, second, third].map { ($0.0, $0.1.map(JSON.string)) }))
    }
    func time(_ time: DateTime?) -> JSON? { time.map { .string(WireTime.text($0)) } }
    return [
      ("evtId", .string(event)), ("evtNm", name.map(JSON.string)), ("evtGrad", grade.map(JSON.string)),
      ("ocrNbr", .string(number)), ("ocrSts", .string(status.rawValue)),
      ("ocrLc", coordinates.map { object(("crdntX", $0.x), ("crdntY", $0.y), ("crdntZ", $0.z)) }),
      ("ocrPlc", place.map(JSON.string)), ("ocrEvtCn", content.map(JSON.string)), ("ocrEvtTime", time(occurredAt)),
      ("ocrEvtSts", statusText.map { object(("ocrEvtStsCd", $0.code), ("ocrEvtStsDtl", $0.detail)) }),
      (
        dialect == .platform ? "ocrEvtUsr" : "ocrEvtStsUsr",
        user.map { object(("ocrEvtUsrId", $0.id), ("ocrEvtUsrNm", $0.name)) }
      ),
      ("ocrEvtStsTime", time(statusAt)), ("ocrEvtEndTime", time(endedAt)), ("ocrEvtItemCnt", .string("\(items.count)")),
      ("ocrEvtItem", .array(items.map { object(("key", $0.key), ("val", $0.value)) })),
      ("ocrEvtDtl", detail.map { object(("ocrEvtDtlCd", $0.code), ("ocrEvtDtlCdDtl", $0.detail)) }),
    ]
  }
}

extension JSONObject {
  /// An object of what is there; of members with the same name the last stays.
  init(of members: [(String, JSON?)]) {
    self.init()
    for (name, value) in members where value != nil { self[name] = value }
  }
}
