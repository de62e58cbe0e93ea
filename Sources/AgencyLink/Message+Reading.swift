import NGSI

extension Message {
  /// Reads what the far side sent, as JSON or as a form.
  ///
  /// What the envelope leaves out is taken from the `X-Scsns-` headers; where both say it, the envelope decides, as in
  /// the published module. Fields that are not known are passed over.
  ///
  /// - Throws: ``MessageError`` with the field's name; a sealed body stays sealed (``BodyCipher/open(_:bounds:)``).
  public init(reading request: WireRequest, bounds: Bounds = Bounds()) throws(MessageError) {
    guard request.body.count <= bounds.request else { throw MessageError("message", .tooLong(bounds.request)) }
    switch request.format {
    case .json: try self.init(json: request, bounds)
    case .form: try self.init(form: request, bounds)
    case nil: throw MessageError("Content-Type", .unknown)
    }
  }

  private init(json request: WireRequest, _ bounds: Bounds) throws(MessageError) {
    let fields = try FieldReader(Self.parse(request.body, "message", bounds), "", bounds)
    let envelope = try Envelope(fields, headers: request)
    // The platform's messages that the module has kept say `Body`.
    guard let (path, value) = try fields.value("body", "Body") else { throw MessageError("body", .missing) }
    if case .string(let text) = value {
      guard !text.isEmpty else { throw MessageError(path, .missing) }
      self.init(envelope, .sealed(text))
    } else {
      self.init(envelope, try Body(value, path, of: envelope.service, bounds))
    }
  }

  private init(form request: WireRequest, _ bounds: Bounds) throws(MessageError) {
    let read = try FormCoding.read(request.body, bounds: bounds)
    var members = JSONObject()
    for field in read { members[field.name] = .string(field.value) }
    // Two fields of a form are JSON themselves.
    for name in ["apSeq", "tranSysHis"] {
      guard let text = members[name]?.string else { continue }
      members[name] = text.isEmpty ? nil : try Self.parse(Array(text.utf8), name, bounds)
    }
    let fields = try FieldReader(.object(members), "", bounds)
    let envelope = try Envelope(fields, headers: request)
    guard let (path, value) = try fields.value("Body", "body"), let text = value.string, !text.isEmpty else {
      throw MessageError("Body", .missing)
    }
    if envelope.isEncrypted {
      self.init(envelope, .sealed(text))
    } else {
      self.init(envelope, try Body(Self.parse(Array(text.utf8), path, bounds), path, of: envelope.service, bounds))
    }
  }

  static func parse(_ bytes: [UInt8], _ field: String, _ bounds: Bounds) throws(MessageError) -> JSON {
    do { return try JSONParser.parse(bytes, maxDepth: bounds.depth) } catch { throw MessageError(field, .notJSON) }
  }

  /// The session's key that came with a request: in its header, or else in its envelope.
  public func secret(of request: WireRequest) -> String? {
    if let header = request[WireRequest.Name.secret], !header.isEmpty { return header }
    return envelope.session
  }
}

extension Message.Body {
  init(_ json: JSON, _ path: String, of service: Envelope.ServiceType, _ bounds: Bounds) throws(MessageError) {
    switch service {
    case .authentication:
      self = .authentication(apiKey: try FieldReader(json, path, bounds).needed("apiKey", most: bounds.key))
    case .event, .beforeEvent: self = .event(try EventBody(json, path, bounds))
    }
  }
}

extension Envelope {
  fileprivate init(_ fields: FieldReader, headers: WireRequest) throws(MessageError) {
    let bounds = fields.bounds
    func said(_ name: String, _ header: String, most: Int) throws(MessageError) -> String? {
      if let text = try fields.text(name, most: most), !text.isEmpty { return text }
      guard let text = headers[header], !text.isEmpty else { return nil }
      try FieldReader.check(text, header, most: most)
      return text
    }
    guard let type = try said("svcTy", WireRequest.Name.service, most: bounds.code) else {
      throw MessageError("svcTy", .missing)
    }
    guard let service = ServiceType(rawValue: type) else { throw MessageError("svcTy", .unknown) }
    guard let sender = try said("sendCd", WireRequest.Name.sender, most: bounds.code) else {
      throw MessageError("sendCd", .missing)
    }
    let encryption = try said("encAt", WireRequest.Name.isEncrypted, most: bounds.code) ?? "N"
    guard encryption == "Y" || encryption == "N" else { throw MessageError("encAt", .unknown) }
    self.init(
      service, sender: sender, receiver: try said("rcvCd", WireRequest.Name.receiver, most: bounds.code),
      system: try said("sysCd", WireRequest.Name.system, most: bounds.code), isEncrypted: encryption == "Y")
    headerCount = try fields.text("hdCnt", most: bounds.code)
    dataCount = try fields.text("dtCnt", most: bounds.code)
    let sequence = try fields.reader("apSeq")
    part = try sequence?.text("apCurrent", most: bounds.code)
    parts = try sequence?.text("apTotal", most: bounds.code)
    method = try fields.text("cmnMtd", most: bounds.code)
    transport = try fields.text("tranTy", most: bounds.code)
    session = try fields.text("rrKey", most: bounds.key)
    // It says nothing of the event.
    do throws(MessageError) { requestedAt = try fields.time("reqDate") } catch {
      guard bounds.keepsDoubtful, error.reason == .notTime else { throw error }
    }
    bodyLength = try fields.text("bodyLen", most: bounds.code)
    hops = try Self.hops(fields)
    guard let callback = try fields.reader("callBack") else { return }
    self.callback = Callback(
      isUsed: try callback.text("useYn", most: bounds.code) == "Y",
      target: try callback.text("targetUrl", most: bounds.key) ?? "")
  }

  /// A list of objects with one member each, or one object of them all.
  private static func hops(_ fields: FieldReader) throws(MessageError) -> [Hop] {
    let most = fields.bounds.hops
    guard let (path, value) = try fields.value("tranSysHis") else { return [] }
    var members: [(path: String, member: JSONObject.Member)] = []
    if let object = value.object {
      guard object.count <= most else { throw MessageError(path, .tooMany(most)) }
      members = object.members.map { (path, $0) }
    } else {
      for (path, item) in try fields.list("tranSysHis", most: most) {
        guard let object = item.object else { throw MessageError(path, .notObject) }
        guard object.count <= 1 else { throw MessageError(path, .tooMany(1)) }
        members += object.members.map { (path, $0) }
      }
    }
    var hops: [Hop] = []
    for (path, member) in members {
      try FieldReader.check(member.key, path, most: fields.bounds.event)
      let path = "\(path).\(member.key)"
      hops.append(Hop(try FieldReader.text(member.value, path, most: fields.bounds.event), name: member.key))
    }
    return hops
  }
}

extension EventBody {
  init(_ json: JSON, _ path: String, _ bounds: Bounds) throws(MessageError) {
    let fields = try FieldReader(json, path, bounds)
    func coded(_ name: String, _ code: String, _ detail: String) throws(MessageError) -> Coded? {
      guard let part = try fields.reader(name) else { return nil }
      return Coded(try part.text(code, most: bounds.detail), try part.text(detail, most: bounds.detail))
    }
    var doubts: [Doubt] = []
    func time(_ name: String) throws(MessageError) -> DateTime? {
      do throws(MessageError) { return try fields.time(name) } catch {
        guard bounds.keepsDoubtful, error.reason == .notTime, let text = try fields.text(name, most: 20) else {
          throw error
        }
        doubts.append(Doubt(kind: .time, field: name, text: text))
        return nil
      }
    }
    let statusText = try coded("ocrEvtSts", "ocrEvtStsCd", "ocrEvtStsDtl")
    let code = try fields.text("ocrSts", most: bounds.code) ?? statusText?.code
    guard let code, !code.isEmpty else { throw MessageError(fields.path + "ocrSts", .missing) }
    let known = OccurrenceStatus(rawValue: code)
    if known == nil {
      guard bounds.keepsDoubtful else { throw MessageError(fields.path + "ocrSts", .unknown) }
      doubts.append(Doubt(kind: .status, field: "ocrSts", text: code))
    }
    // Of a state that is not known it is certain only that something was told.
    self.init(
      event: try fields.needed("evtId", most: bounds.event), number: try fields.needed("ocrNbr", most: bounds.number),
      status: known ?? .updated)
    name = try fields.text("evtNm", most: bounds.detail)
    grade = try fields.text("evtGrad", most: bounds.code)
    if let place = try fields.reader("ocrLc") {
      do throws(MessageError) { coordinates = try Coordinates(place) } catch {
        guard bounds.keepsDoubtful, error.reason == .notNumber || error.reason == .missing else { throw error }
        doubts.append(Doubt(kind: .place, field: "ocrLc", text: JSONWriter.text(.object(place.object))))
      }
    }
    place = try fields.text("ocrPlc", most: bounds.text)
    content = try fields.text("ocrEvtCn", most: bounds.text)
    occurredAt = try time("ocrEvtTime")
    self.statusText = statusText
    if let user = try fields.reader("ocrEvtStsUsr", or: "ocrEvtUsr") {
      self.user = User(
        id: try user.text("ocrEvtUsrId", most: bounds.detail), name: try user.text("ocrEvtUsrNm", most: bounds.detail))
    }
    statusAt = try time("ocrEvtStsTime")
    endedAt = try time("ocrEvtEndTime")
    for (path, item) in try fields.list("ocrEvtItem", most: bounds.items) {
      let item = try FieldReader(item, path, bounds)
      items.append(Item(try item.needed("key", most: bounds.number), try item.text("val", most: bounds.text)))
    }
    detail = try coded("ocrEvtDtl", "ocrEvtDtlCd", "ocrEvtDtlCdDtl")
    self.doubts = doubts
  }
}

extension EventBody.Coordinates {
  /// - Returns: `nil` where neither coordinate is said.
  fileprivate init?(_ fields: FieldReader) throws(MessageError) {
    let x = try fields.text("crdntX", most: 40) ?? ""
    let y = try fields.text("crdntY", most: 40) ?? ""
    let z = try fields.text("crdntZ", most: 40)
    if x.isEmpty, y.isEmpty { return nil }
    self.init(x: x, y: y, z: z)
    guard longitude != nil else { throw MessageError(fields.path + "crdntX", x.isEmpty ? .missing : .notNumber) }
    guard latitude != nil else { throw MessageError(fields.path + "crdntY", y.isEmpty ? .missing : .notNumber) }
  }
}
