import Foundation
import NGSI

@testable import AgencyLink

/// Messages of our own.
enum Samples {
  static let start = time("20261124090000")

  static func time(_ text: String) -> DateTime { WireTime.time(text) ?? DateTime(microseconds: 0) }

  static func envelope(_ type: Envelope.ServiceType = .event, sender: String = "CITY0001") -> Envelope {
    var envelope = Envelope(type, sender: sender, receiver: "FIRE0001", system: "MDG")
    envelope.requestedAt = start
    envelope.session = type == .event ? "session-1" : nil
    envelope.hops = [.init("CITY0001_MDG"), .init("FIRE0001_SCSNS")]
    return envelope
  }

  static func body(_ status: OccurrenceStatus = .occurred, number: String = "20261124085959123", at seconds: Double = 0)
    -> EventBody
  {
    var body = EventBody(event: "TESTFIRE01", number: number, status: .occurred)
    body.name = "화재 \"시험\""
    body.grade = "20"
    body.coordinates = .init(longitude: 127.0276, latitude: 37.4979)
    body.place = "강남대로 396"
    body.content = "연기\n2층"
    body.occurredAt = time("20261124085959")
    body.items = [.init("IMAGE_SEND_TY_CD", "HTTP"), .init("IMAGE_URL", "https://example.org/1.jpg")]
    body.detail = .init("SMOKE", "실내")
    return body.moved(to: status, at: start.adding(seconds: seconds), by: .init(id: "op7", name: "당직"))
  }

  static let bodyText =
    #"{"evtId":"TESTFIRE01","evtNm":"화재 \"시험\"","evtGrad":"20","ocrNbr":"20261124085959123","ocrSts":"10","#
    + #""ocrLc":{"crdntX":"127.0276","crdntY":"37.4979","crdntZ":"0"},"ocrPlc":"강남대로 396","#
    + #""ocrEvtCn":"연기\n2층","ocrEvtTime":"20261124085959","#
    + #""ocrEvtSts":{"ocrEvtStsCd":"10","ocrEvtStsDtl":"발생"},"#
    + #""ocrEvtStsUsr":{"ocrEvtUsrId":"op7","ocrEvtUsrNm":"당직"},"ocrEvtStsTime":"20261124090000","#
    + #""ocrEvtItemCnt":"2","ocrEvtItem":[{"key":"IMAGE_SEND_TY_CD","val":"HTTP"},"#
    + #"{"key":"IMAGE_URL","val":"https://example.org/1.jpg"}],"#
    + #""ocrEvtDtl":{"ocrEvtDtlCd":"SMOKE","ocrEvtDtlCdDtl":"실내"}}"#

  static let eventText =
    #"{"svcTy":"EVENT","hdCnt":"14","dtCnt":"16","apSeq":{"apCurrent":"1","apTotal":"1"},"cmnMtd":"1","#
    + #""sendCd":"CITY0001","rcvCd":"FIRE0001","encAt":"N","tranTy":"HTTP","rrKey":"session-1","#
    + #""reqDate":"20261124090000","bodyLen":"\#(bodyText.utf16.count)","sysCd":"MDG","#
    + #""tranSysHis":[{"tranSysHis":"CITY0001_MDG"},{"tranSysHis":"FIRE0001_SCSNS"}],"body":\#(bodyText)}"#

  static let loginText =
    #"{"svcTy":"AUTH","hdCnt":"14","dtCnt":"16","apSeq":{"apCurrent":"1","apTotal":"1"},"cmnMtd":"1","#
    + #""sendCd":"CITY0001","rcvCd":"FIRE0001","encAt":"N","tranTy":"HTTP","reqDate":"20261124090000","sysCd":"MDG","#
    + #""tranSysHis":[{"tranSysHis":"CITY0001_MDG"},{"tranSysHis":"FIRE0001_SCSNS"}],"#
    + #""body":{"startTag":"$DA","endTag":"$DB","finishTag":"$DF","apiKey":"secret-1"}}"#

  static func request(json text: String, _ headers: [WireRequest.Header] = []) -> WireRequest {
    WireRequest(headers: [.init("content-type", "application/json; charset=UTF-8")] + headers, body: Array(text.utf8))
  }

  static func request(form text: String) -> WireRequest {
    WireRequest(headers: [.init("Content-Type", WireRequest.Format.form.rawValue)], body: Array(text.utf8))
  }

  /// What a failing read says.
  static func failure(_ body: () throws -> Void) -> MessageError? {
    do {
      try body()
      return nil
    } catch { return error as? MessageError }
  }

  /// A file of a checkout of the published module; `nil`, and a line in the output, where `MADANG_KETI` names none.
  static func published(_ path: String, for test: String) -> String? {
    guard let folder = ProcessInfo.processInfo.environment["MADANG_KETI"] else {
      print("skipped: \(test), MADANG_KETI names no checkout of the published module")
      return nil
    }
    let url = URL(filePath: folder).appending(path: path)
    guard let text = try? String(contentsOf: url, encoding: .utf8) else {
      print("skipped: \(test), \(url.path) is absent")
      return nil
    }
    return text
  }
}
