import NGSI
import Testing

@testable import Incidents

/// The first message is the example of ETSI TS 103 625; the others are those of open parsers of such messages (aml-lib).
@Suite struct MobileLocationTests {
  @Test func theStandardsExampleIsRead() throws {
    let read = try AdvancedMobileLocation(
      message:
        #"A"ML=1;lt=+54.76397;lg=-0.18305;rd=50;top=20130717141935;lc=90;pm=W;si=123456789012345;ei=1234567890123456;mcc=234;mnc=30;ml=128"#
    )
    #expect(
      read.position == Position(longitude: -0.18305, latitude: 54.76397, uncertainty: 50, confidence: 90))
    #expect(read.method == .wirelessNetworks)
    #expect(read.locatedAt == DateTime("2013-07-17T14:19:35Z"))
  }

  @Test func theSecondVersionIsRead() throws {
    let read = try AdvancedMobileLocation(
      message:
        #"A"ML=2;en=+15555555555;et=1593187189;lo=-37.42175,-122.08461,2000.1;lt=-9999;lc=68;lz=-100.1,100.1;ls=G;ei=358239059042542;nc=310260;hc=310260;lg=en-US"#
    )
    #expect(
      read.position == Position(longitude: -122.08461, latitude: -37.42175, uncertainty: 2000.1, confidence: 68))
    #expect(read.locatedAt == DateTime(secondsSince1970: 1_593_187_179.001))
  }

  @Test func aHandsetThatDoesNotKnowSaysSo() throws {
    let read = try AdvancedMobileLocation(
      message: #"A"ML=1;lt=+00.00000;lg=+00.00000;rd=N;top=20130717141935;lc=0;pm=N;ml=60"#)
    #expect(read.position == nil)
  }

  @Test(arguments: [
    "", "A\"ML=3;lt=1", "hello", #"A"ML=1;lt"#, String(repeating: "A\"ML=1;", count: 200),
  ])
  func whatIsNoneIsRefused(_ text: String) {
    #expect(throws: Problem.self) { try AdvancedMobileLocation(message: text) }
  }

  @Test(arguments: [
    #"A"ML=1;lt=nan;lg=inf;rd=1e999;top=99999999999999;lc=900;pm=G"#,
    #"A"ML=1;lt=91;lg=181;rd=-5;top=20131317996061;lc=-1;pm=G"#,
    #"A"ML=2;lo=,,;et=1e300;lt=1e300;ls=G"#, #"A"ML=2;lo=1;ls=?"#, #"A"ML=1;;;="#,
  ])
  func nonsenseIsNoPlace(_ text: String) throws {
    #expect((try? AdvancedMobileLocation(message: text))?.position == nil)
  }
}
